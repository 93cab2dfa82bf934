/**
 * The registry in a store of the platform: on memory for one process, on Redis, PostgreSQL or
 * MariaDB for a fleet. The store must expire entries; several clusters may share it.
 */

import type { Store } from "@banyan/kernel";
import type { Registry } from "./membership.ts";
import { parseMapping } from "./instance-record.ts";
import { defaultApp, isNewer } from "./route-table.ts";
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
    const placed = current?.kind === "mapping" ? parseMapping(current.mapping) : undefined;
    if (placed !== undefined && !isNewer(mapping, placed)) {
      return { kind: "mapping", mapping: placed };
    }
    return { kind: "mapping", mapping };
  });
  await registryOn(store, cluster).changed();
  return entry.kind === "mapping" ? entry.mapping : mapping;
}

/** Whatever lies there: a count that is none begins anew, which is a change as well. */
function countOf(entry: RegistryEntry | undefined): number {
  return entry?.kind === "changes" && Number.isSafeInteger(entry.count) ? entry.count : 0;
}
