/**
 * The registry in a store of the platform: on memory for one process, on Redis, PostgreSQL or
 * MariaDB for a fleet. The store must expire entries; several clusters may share it.
 */

import type { Store } from "@banyan/kernel";
import type { Registry } from "./membership.ts";
import { parseMapping } from "./instance-record.ts";
import { defaultApp, isNewer, noMapping } from "./route-table.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";

/** What the store holds: records, the counter of changes, the mapping. */
export type RegistryEntry =
  | { readonly kind: "instance"; readonly record: InstanceRecord }
  | { readonly kind: "changes"; readonly count: number }
  | { readonly kind: "mapping"; readonly mapping: Mapping };

const pageSize = 1000;

/** Names of clusters hold no slash, so none begins another. */
function keysOf(cluster: string) {
  return {
    instances: `${cluster}/instance/`,
    changes: `${cluster}/changes`,
    mapping: `${cluster}/mapping`,
  };
}

/** The registry of a cluster on a store. */
export function registryOn(store: Store<RegistryEntry>, cluster: string = defaultApp): Registry {
  const { instances, changes: changesKey, mapping: mappingKey } = keysOf(cluster);
  return {
    async write(record, leaseMs) {
      await store.set(
        instances + record.instance,
        { kind: "instance", record },
        { ttlMs: leaseMs },
      );
    },
    async list() {
      const records: unknown[] = [];
      let after: string | undefined;
      do {
        const { entries, next } = await store.scan({ prefix: instances, limit: pageSize, after });
        for (const { value } of entries) if (value.kind === "instance") records.push(value.record);
        after = next;
      } while (after !== undefined);
      return records;
    },
    async changes() {
      const entry = await store.get(changesKey);
      return countOf(entry);
    },
    async changed() {
      await store.update(changesKey, (current) => ({
        kind: "changes",
        count: countOf(current) + 1,
      }));
    },
    async place(mapping) {
      await placeServices(store, mapping, cluster);
    },
    async mapping() {
      const entry = await store.get(mappingKey);
      return entry?.kind === "mapping" ? entry.mapping : undefined;
    },
  };
}

/** What became of a placement. */
export interface Placement {
  /** In force now. */
  readonly mapping: Mapping;
  /** False: something newer was there, and nothing was changed. */
  readonly isPlaced: boolean;
}

/**
 * Places services: replaces the whole mapping, if it is newer than what is there.
 * @param next the mapping, or what makes it of the one that is there: then nobody comes between
 */
export async function placeServices(
  store: Store<RegistryEntry>,
  next: Mapping | ((present: Mapping) => Mapping),
  cluster: string = defaultApp,
): Promise<Placement> {
  let isPlaced = false;
  const entry = await store.update(keysOf(cluster).mapping, (current) => {
    const placed = current?.kind === "mapping" ? parseMapping(current.mapping) : undefined;
    const wanted = typeof next === "function" ? next(placed ?? noMapping) : next;
    isPlaced = placed === undefined || isNewer(wanted, placed);
    return { kind: "mapping", mapping: isPlaced ? wanted : (placed ?? wanted) };
  });
  if (isPlaced) await registryOn(store, cluster).changed();
  return { mapping: entry.kind === "mapping" ? entry.mapping : noMapping, isPlaced };
}

/** Whatever lies there: a count that is none begins anew, which is a change as well. */
function countOf(entry: RegistryEntry | undefined): number {
  return entry?.kind === "changes" && Number.isSafeInteger(entry.count) ? entry.count : 0;
}
