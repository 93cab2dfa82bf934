/** Stores of a node by the name that people use: `greeter.visits`. */

import { nearest } from "@banyan/kernel/internal";
import type { OpenedScopes, OpenedStore } from "../engines.ts";
import { hostErrors } from "../errors.ts";
import type { NodeView } from "../node-view.ts";

/** Every store of the node, the node's own ones last. */
export function listStores({ engines }: NodeView): [name: string, opened: OpenedStore][] {
  const all = [...(engines?.stores ?? [])];
  return [...all.filter(([, each]) => !isOwn(each)), ...all.filter(([, each]) => isOwn(each))];
}

/**
 * By `service.store`, or `service/scope.store` for a scoped one.
 * @throws NODE_STORE_UNKNOWN with the nearest one, STATE_SCOPE_UNKNOWN
 */
export async function findStore(node: NodeView, name: string): Promise<OpenedStore> {
  const found = node.engines?.stores.get(name) ?? (await findScoped(node, name));
  if (found !== undefined) return found;
  const known = listStores(node).map(([each]) => each);
  const scoped = scopedHint(node, name);
  const meant = scoped === undefined ? nearest(name, known) : undefined;
  throw hostErrors.NODE_STORE_UNKNOWN(
    `This node has no store "${name}"${scoped?.hint ?? storeHint(node, name, meant)}`,
    {
      details: {
        store: name,
        ...(meant === undefined ? {} : { nearest: meant }),
        fix: scoped?.fix ?? "`banyan state stores` lists the stores.",
      },
    },
  );
}

/** A scope may hold dots and slashes, a service and a store none. */
async function findScoped(node: NodeView, name: string): Promise<OpenedStore | undefined> {
  const [, service = "", scope = "", store = ""] = /^([^/]+)\/(.+)\.([^.]+)$/s.exec(name) ?? [];
  const scopes = node.engines?.scopes.get(service);
  const declared = scopes?.declared.find((each) => each.name === store);
  const scoped = scopes?.stores[store];
  if (declared === undefined || scoped === undefined) return undefined;
  return { service, ...declared, store: await scoped.in(scope) };
}

/** For who leaves the scope of a scoped store out: `notes.settings`. */
function scopedHint(
  { engines }: NodeView,
  name: string,
): { readonly hint: string; readonly fix: string } | undefined {
  const [service = "", store = "", ...more] = name.split(".");
  const declared = engines?.scopes.get(service)?.declared ?? [];
  if (more.length > 0 || !declared.some((each) => each.name === store)) return undefined;
  return {
    hint: `: it is scoped, there is one in each scope. Write ${service}/<scope>.${store}.`,
    fix: `\`banyan state scopes ${service}\` lists the scopes.`,
  };
}

/** The nearest store, or those of the service that the name begins with. */
function storeHint(node: NodeView, name: string, meant: string | undefined): string {
  if (meant !== undefined) return `; did you mean "${meant}"?`;
  const [service = ""] = name.split(".");
  if (!node.instances.some(({ contract }) => contract.name === service)) return ".";
  const stores = listStores(node).filter(([, each]) => each.service === service);
  if (stores.length === 0) return `; the service "${service}" has none.`;
  return `; the service "${service}" has: ${stores.map(([each]) => each).join(", ")}.`;
}

/** @throws what `findStore` throws, and NODE_STORE_READ_ONLY */
export async function findWritableStore(node: NodeView, name: string): Promise<OpenedStore> {
  const found = await findStore(node, name);
  if (!isOwn(found)) return found;
  throw hostErrors.NODE_STORE_READ_ONLY(
    `The store "${name}" is the node's own record of what it has done; it can be read, not written.`,
    { details: { store: name } },
  );
}

/** A service's scopes. @throws NODE_SCOPES_UNKNOWN */
export function findScopes({ engines, instances }: NodeView, service: string): OpenedScopes {
  const found = engines?.scopes.get(service);
  if (found !== undefined) return found;
  const able = [...(engines?.scopes.keys() ?? [])].join(", ");
  const isHere = instances.some(({ contract }) => contract.name === service);
  throw hostErrors.NODE_SCOPES_UNKNOWN(
    `${isHere ? `The service "${service}" declares no scoped store` : `No service "${service}" runs here`}; ` +
      `${able === "" ? "no service of this node has scopes" : `these have scopes: ${able}`}.`,
    { details: { service } },
  );
}

/** Whether the node keeps it for itself. */
export function isOwn({ service }: Pick<OpenedStore, "service">): boolean {
  return service === "node";
}
