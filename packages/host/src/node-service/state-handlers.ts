/** The operator's look into the stores: through the typed store, by every rule of the service. */

import type { Call, Client, Entry, LogFields, Revision, ServiceParts } from "@banyan/kernel";
import { kernelErrors, principalKey, toJsonSchema } from "@banyan/kernel/internal";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";
import { findStore, findWritableStore, isOwn, listStores } from "./store-lookup.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["state"];
type EntryAnswer = Awaited<ReturnType<Client<typeof nodeContract>["state"]["get"]>>;
type StoreRow = Awaited<
  ReturnType<Client<typeof nodeContract>["state"]["stores"]>
>["stores"][number];

export function stateHandlers(node: NodeView): Handlers {
  return {
    stores: () => ({ stores: storeRows(node) }),

    async get({ store: name, key }, call) {
      const { store } = findStore(node, name);
      const entry = await store.getEntry(key, call);
      if (entry !== undefined) return entryAnswer(entry);
      throw hostErrors.NODE_ENTRY_UNKNOWN(
        `The store "${name}" has no entry ${JSON.stringify(key)}.`,
        { details: { store: name, key } },
      );
    },

    async set({ store: name, key, value, ...options }, call) {
      const { store } = findWritableStore(node, name);
      const etag = await store.set(key, value, { ...options, signal: call.signal });
      audit(call, "entry written by an operator", { store: name, key });
      return { etag };
    },

    async delete({ store: name, keys, ifMatch }, call) {
      const { store } = findWritableStore(node, name);
      const [key, ...others] = keys;
      if (ifMatch !== undefined && others.length > 0) {
        throw kernelErrors.REQUEST_INVALID(
          `ifMatch is for one key, and ${keys.length} were given; delete that one by itself.`,
        );
      }
      const deleted =
        ifMatch === undefined || key === undefined
          ? await store.deleteMany(keys, call)
          : Number(await store.delete(key, { ifMatch, signal: call.signal }));
      audit(call, "entries deleted by an operator", { store: name, keys, deleted });
      return { deleted };
    },

    async list({ store: name, ...options }, call) {
      const { store } = findStore(node, name);
      const { entries, next } = await store.scan({ ...options, signal: call.signal });
      return { entries: entries.map(entryAnswer), ...(next === undefined ? {} : { next }) };
    },
  };
}

function storeRows(node: NodeView): StoreRow[] {
  return listStores(node).map(([store, opened]) => {
    const { service, name, spec, engine } = opened;
    const { summary, durability, expires = false, capabilities = [], version = 1 } = spec;
    return {
      store,
      service,
      name,
      ...(summary === undefined ? {} : { summary }),
      durability,
      engine: engine.name,
      capabilities: [...(expires ? ["expires"] : []), ...capabilities],
      version,
      writable: !isOwn(opened),
      value: toJsonSchema(spec.value, "input"),
    };
  });
}

function entryAnswer(entry: Entry<unknown> & Partial<Revision>): EntryAnswer {
  const { key, value, etag, revision, createdAtMs, updatedAtMs } = entry;
  return {
    key,
    value,
    etag,
    ...(revision === undefined ? {} : { revision }),
    ...(createdAtMs === undefined ? {} : { createdAt: isoOf(createdAtMs) }),
    ...(updatedAtMs === undefined ? {} : { updatedAt: isoOf(updatedAtMs) }),
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Says in the log who changed what, behind the service's back. */
export function audit(call: Call, message: string, fields: LogFields): void {
  call.log.info(message, { by: principalKey(call.principal), ...fields });
}
