/** Stores of a node by the name that people use: `greeter.visits`. */

import { nearest } from "@banyan/kernel/internal";
import type { OpenedStore } from "../engines.ts";
import { hostErrors } from "../errors.ts";
import type { NodeView } from "../node-view.ts";

/** Every store of the node, the node's own ones last. */
export function listStores({ engines }: NodeView): [name: string, opened: OpenedStore][] {
  const all = [...(engines?.stores ?? [])];
  return [...all.filter(([, each]) => !isOwn(each)), ...all.filter(([, each]) => isOwn(each))];
}

/** @throws NODE_STORE_UNKNOWN with the nearest one. */
export function findStore(node: NodeView, name: string): OpenedStore {
  const found = node.engines?.stores.get(name);
  if (found !== undefined) return found;
  const known = listStores(node).map(([each]) => each);
  const meant = nearest(name, known);
  throw hostErrors.NODE_STORE_UNKNOWN(
    `This node has no store "${name}"${storeHint(node, name, meant)}`,
    {
      details: {
        store: name,
        ...(meant === undefined ? {} : { nearest: meant }),
        fix: "`banyan state stores` lists the stores.",
      },
    },
  );
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

/** @throws NODE_STORE_UNKNOWN, NODE_STORE_READ_ONLY */
export function findWritableStore(node: NodeView, name: string): OpenedStore {
  const found = findStore(node, name);
  if (!isOwn(found)) return found;
  throw hostErrors.NODE_STORE_READ_ONLY(
    `The store "${name}" is the node's own record of what it has done; it can be read, not written.`,
    { details: { store: name } },
  );
}

/** Whether the node keeps it for itself. */
export function isOwn({ service }: OpenedStore): boolean {
  return service === "node";
}
