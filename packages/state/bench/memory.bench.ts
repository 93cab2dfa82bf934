/**
 * Memory engine beside a bare Map: what the store's promises (copies, limits, etags) cost.
 * Run: `node --conditions=source packages/state/bench/memory.bench.ts`
 */

import { t } from "@banyan/kernel";
import { createTransactor, openMemoryEngine, openStore } from "@banyan/state";

const KEYS = 10_000;
const ROUNDS = 9;
const CALLS = 50_000;
const value = { count: 1, name: "Ada Lovelace", tags: ["a", "b"] };
const schema = t.Object({ count: t.Integer(), name: t.String(), tags: t.Array(t.String()) });
const keys = Array.from({ length: KEYS }, (_, index) => `user-${index}`);
const keyAt = (index: number): string => keys[(index * 31) % KEYS] ?? "";

const engine = openMemoryEngine();
const spec = { value: schema, durability: "ephemeral", capabilities: ["transaction"] } as const;
const store = await openStore(engine, { scope: "bench", name: "users", spec });
const transact = createTransactor({ engine, stores: { store } });
const map = new Map(keys.map((key) => [key, structuredClone(value)]));
await Promise.all(keys.map((key) => store.set(key, value)));

const cases: readonly (readonly [string, (index: number) => unknown])[] = [
  ["Map get + structuredClone", (index) => structuredClone(map.get(keyAt(index)))],
  ["store.get", (index) => store.get(keyAt(index))],
  ["store.getEntry", (index) => store.getEntry(keyAt(index))],
  ["Map set of structuredClone", (index) => map.set(keyAt(index), structuredClone(value))],
  ["store.set", (index) => store.set(keyAt(index), value)],
  ["store.set with ttl", (index) => store.set(keyAt(index), value, { ttlMs: 60_000 })],
  ["store.update", (index) => store.update(keyAt(index), (v) => v ?? value)],
  [
    "transaction of one update",
    (index) => transact((tx) => tx.stores.store.update(keyAt(index), (v) => v ?? value)),
  ],
];

const rates = new Map<string, number[]>(cases.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, call] of cases) {
    const started = performance.now();
    for (let index = 0; index < CALLS; index += 1) await call(index);
    rates.get(name)?.push(CALLS / (performance.now() - started));
  }
}
for (const [name, samples] of rates) {
  // The first rounds warm up; the median of the rest.
  const sorted = samples.slice(2).sort((a, b) => a - b);
  console.log(`${name.padEnd(28)} ${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} k/s`);
}
await engine.close();
