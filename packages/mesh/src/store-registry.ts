/**
 * The registry in a store of the platform: on memory for one process, on Redis, PostgreSQL or
 * MariaDB for a fleet. The store must expire entries; several clusters may share it.
 */

import { systemRandom } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import type { Registry } from "./registry.ts";
import { parseMapping } from "./instance-record.ts";
import { defaultApp, isNewer, noMapping } from "./route-table.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";

/** What the store holds: records, the counter of changes, the mapping. */
export type RegistryEntry =
  | { readonly kind: "instance"; readonly record: InstanceRecord }
  | ({ readonly kind: "changes" } & Changes)
  | { readonly kind: "mapping"; readonly mapping: Mapping };

interface Changes {
  readonly count: number;
  /** Who has changed, each with its last count, the oldest first. */
  readonly recent?: readonly (readonly [instance: string, count: number])[] | undefined;
  /** All who have changed after this count are in `recent`. */
  readonly since?: number | undefined;
  /** The last counts there were: who has seen another one saw what was lost since. */
  readonly counts?: readonly number[] | undefined;
}

interface KnownChanges extends Changes {
  readonly recent: NonNullable<Changes["recent"]>;
  readonly since: number;
  readonly counts: readonly number[];
}

const pageSize = 1000;
/** In the counter, which all nodes read about once a second: some 2 KB. */
const recentMax = 32;
/** Changes of which nothing is told but the count, such as of the mapping, are among them. */
const countsMax = 64;
/**
 * The counter grows by chance, up to so much at a time: a server that lost the last counts and goes
 * on counting does not come by the same ones again.
 */
const stepMax = 1000;

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
      return changesOf(await store.get(changesKey)).count;
    },
    async changed(told = []) {
      await store.update(changesKey, (current) => ({
        kind: "changes",
        ...changesAfter(changesOf(current), told),
      }));
    },
    async since(count, also) {
      const changes = changesOf(await store.get(changesKey));
      const told = toldSince(changes, count);
      if (told === undefined) return { count: changes.count };
      const wanted = [...new Set([...told, ...also])].slice(0, pageSize);
      const records = new Map<string, unknown>(wanted.map((instance) => [instance, undefined]));
      const keys = wanted.map((instance) => instances + instance);
      const found = keys.length === 0 ? [] : await store.getMany(keys);
      for (const { key, value } of found) {
        if (value.kind === "instance") records.set(key.slice(instances.length), value.record);
      }
      return { count: changes.count, records };
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

/**
 * Whatever lies there: a count that is none begins anew, which is a change as well. Nodes of
 * earlier versions write a count alone.
 */
function changesOf(entry: RegistryEntry | undefined): KnownChanges {
  if (entry?.kind !== "changes" || !Number.isSafeInteger(entry.count)) {
    return { count: 0, recent: [], since: 0, counts: [0] };
  }
  const { count, recent, since, counts } = entry;
  const isWhole = Array.isArray(recent) && recent.every(isTold) && Array.isArray(counts);
  if (!isWhole || since === undefined) return { count, recent: [], since: count, counts: [count] };
  return { count, recent, since, counts };
}

function isTold(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "number";
}

function changesAfter(before: KnownChanges, instances: readonly string[]): KnownChanges {
  const count = before.count + 1 + Math.floor(systemRandom.next() * stepMax);
  const told = new Set(instances);
  const all = [
    ...before.recent.filter(([instance]) => !told.has(instance)),
    ...[...told].map((instance) => [instance, count] as const),
  ];
  const dropped = all[all.length - recentMax - 1];
  return {
    count,
    recent: all.slice(-recentMax),
    since: dropped?.[1] ?? before.since,
    counts: [...before.counts, count].slice(-countsMax),
  };
}

/** `undefined`: more than is known, or what was counted then was lost. */
function toldSince({ recent, since, counts }: KnownChanges, seen: number) {
  if (seen < since || !counts.includes(seen)) return undefined;
  return recent.filter(([, at]) => at > seen).map(([instance]) => instance);
}
