/**
 * The registry in a store of the platform: on memory for one process, on Redis, PostgreSQL or
 * MariaDB for a fleet. The store must expire entries; several clusters may share it.
 */

import type { Store } from "@banyan/kernel";
import type { Registry } from "./membership.ts";
import { defaultApp, isNewer } from "./route-table.ts";
import type { InstanceRecord, Mapping } from "./route-table.ts";

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
    async remove(instance) {
      await store.delete(instances + instance);
    },
    async list() {
      const records: InstanceRecord[] = [];
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
      return entry?.kind === "changes" ? entry.count : 0;
    },
    async changed() {
      await store.update(changesKey, (current) => ({
        kind: "changes",
        count: current?.kind === "changes" ? current.count + 1 : 1,
      }));
    },
    async mapping() {
      const entry = await store.get(mappingKey);
      return entry?.kind === "mapping" ? entry.mapping : undefined;
    },
  };
}

/**
 * Places services: replaces the whole mapping, if it is newer than what is there.
 * Answers what is in force then.
 */
export async function placeServices(
  store: Store<RegistryEntry>,
  mapping: Mapping,
  cluster: string = defaultApp,
): Promise<Mapping> {
  const entry = await store.update(keysOf(cluster).mapping, (current) => {
    if (current?.kind === "mapping" && !isNewer(mapping, current.mapping)) return current;
    return { kind: "mapping", mapping };
  });
  await registryOn(store, cluster).changed();
  return entry.kind === "mapping" ? entry.mapping : mapping;
}
