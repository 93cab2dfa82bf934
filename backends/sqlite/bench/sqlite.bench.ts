/**
 * The SQLite engine beside raw node:sqlite on the same file layout, in one run.
 * Run: `node --conditions=source backends/sqlite/bench/sqlite.bench.ts`
 */

import { DatabaseSync } from "node:sqlite";
import { t } from "@banyan/kernel";
import { openSqlite } from "@banyan/sqlite";
import { openStore } from "@banyan/state";
import { temporaryDirectory } from "@banyan/testbed";

const KEYS = 5_000;
const ROUNDS = 9;
const value = { count: 1, name: "Ada Lovelace", tags: ["a", "b"] };
const schema = t.Object({ count: t.Integer(), name: t.String(), tags: t.Array(t.String()) });
const keys = Array.from({ length: KEYS }, (_, index) => `user-${index}`);
const keyAt = (index: number): string => keys[(index * 31) % KEYS] ?? "";

await using directory = await temporaryDirectory("bench");
await using engine = await openSqlite({ file: directory.join("state.db") });
const spec = { value: schema, durability: "durable" } as const;
const store = await openStore(engine, { scope: "bench", name: "users", spec });
for (let from = 0; from < KEYS; from += 1000) {
  await store.setMany(keys.slice(from, from + 1000).map((key) => [key, value] as const));
}

using raw = new DatabaseSync(directory.join("raw.db"));
raw.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
raw.exec("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT");
const rawSet = raw.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)");
const rawGet = raw.prepare("SELECT value FROM entries WHERE key = ?");
raw.exec("BEGIN");
for (const key of keys) rawSet.run(key, JSON.stringify(value));
raw.exec("COMMIT");

const parse = (text: unknown): unknown => JSON.parse(String(text));
type Case = readonly [name: string, calls: number, call: (index: number) => unknown];
const cases: readonly Case[] = [
  ["raw get + parse", 20_000, (index) => parse(rawGet.get(keyAt(index))?.["value"])],
  ["store.get", 20_000, (index) => store.get(keyAt(index))],
  ["raw durable upsert", 300, (index) => rawSet.run(keyAt(index), JSON.stringify(value))],
  ["store.set", 300, (index) => store.set(keyAt(index), value)],
  ["store.update", 300, (index) => store.update(keyAt(index), (v) => v ?? value)],
];

const rates = new Map<string, number[]>(cases.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, calls, call] of cases) {
    const started = performance.now();
    for (let index = 0; index < calls; index += 1) await call(index);
    rates.get(name)?.push(calls / (performance.now() - started));
  }
}
for (const [name, samples] of rates) {
  // The first rounds warm up; the median of the rest.
  const sorted = samples.slice(2).sort((a, b) => a - b);
  console.log(`${name.padEnd(20)} ${(sorted[sorted.length >> 1] ?? 0).toFixed(1)} k/s`);
}
