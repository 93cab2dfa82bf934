/** The operator's look into the stores: through the typed store, by every rule of the service. */

import { isBanyanError } from "@banyan/kernel";
import type {
  Call,
  Client,
  Entry,
  LogFields,
  Revision,
  Scopes,
  ServiceParts,
} from "@banyan/kernel";
import { kernelErrors, principalKey, toJsonSchema } from "@banyan/kernel/internal";
import type { OpenedStore } from "../engines.ts";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";
import { findScopes, findStore, findWritableStore, isOwn, listStores } from "./store-lookup.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["state"];
type EntryAnswer = Awaited<ReturnType<Client<typeof nodeContract>["state"]["get"]>>;
type StoreRow = Awaited<
  ReturnType<Client<typeof nodeContract>["state"]["stores"]>
>["stores"][number];

type ScopeRow = Awaited<
  ReturnType<Client<typeof nodeContract>["state"]["scopes"]>
>["scopes"][number];

export function stateHandlers(node: NodeView): Handlers {
  return {
    async stores({ count = false }, call) {
      const rows = await Promise.all(
        listStores(node).map(async ([name, opened]) => ({
          ...storeRow(name, opened),
          ...(count ? { entries: await opened.store.count(call) } : {}),
        })),
      );
      return { stores: [...rows, ...scopedRows(node)] };
    },

    async scopes({ service, ...query }, call) {
      const { scopes } = findScopes(node, service);
      const { scopes: found, next } = await scopes.list({ ...query, signal: call.signal });
      const rows = await Promise.all(found.map(({ name }) => usageOf(scopes, name, call)));
      const left = rows.filter((row) => row !== undefined);
      return { scopes: left, ...(next === undefined ? {} : { next }) };
    },

    async get({ store: name, key }, call) {
      const { store } = await findStore(node, name);
      const entry = await store.getEntry(key, call);
      if (entry !== undefined) return entryAnswer(entry);
      throw hostErrors.NODE_ENTRY_UNKNOWN(
        `The store "${name}" has no entry ${JSON.stringify(key)}.`,
        { details: { store: name, key } },
      );
    },

    async set({ store: name, key, value, ...options }, call) {
      const { store } = await findWritableStore(node, name);
      const etag = await store.set(key, value, { ...options, signal: call.signal });
      audit(call, "entry written by an operator", { store: name, key });
      return { etag };
    },

    async delete({ store: name, keys, ifMatch }, call) {
      const { store } = await findWritableStore(node, name);
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
      const { store } = await findStore(node, name);
      const { entries, next } = await store.scan({ ...options, signal: call.signal });
      return { entries: entries.map(entryAnswer), ...(next === undefined ? {} : { next }) };
    },
  };
}

function storeRow(store: string, opened: Omit<OpenedStore, "store">): StoreRow {
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
    writable: !isOwn({ service }),
    scoped: spec.scoped === true,
    value: toJsonSchema(spec.value, "input"),
  };
}

/** What each scope of a service has: one row for all of them. */
function scopedRows({ engines }: NodeView): StoreRow[] {
  return [...(engines?.scopes ?? [])].flatMap(([service, { declared }]) =>
    declared.map((each) => storeRow(`${service}/<scope>.${each.name}`, { service, ...each })),
  );
}

/** `undefined` when it was deleted while it was looked at. */
async function usageOf(scopes: Scopes, name: string, call: Call): Promise<ScopeRow | undefined> {
  try {
    const { summary, createdAtMs, isGoing, ...rest } = await scopes.usage(name, call);
    return {
      ...rest,
      ...(summary === undefined ? {} : { summary }),
      createdAt: isoOf(createdAtMs),
      going: isGoing,
    };
  } catch (error) {
    if (isBanyanError(error, "STATE_SCOPE_UNKNOWN")) return undefined;
    throw error;
  }
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
