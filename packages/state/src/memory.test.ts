import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, silentLog, t } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { describeStateEngine } from "./conformance.ts";
import { memoryState, openMemoryEngine } from "./memory.ts";
import { openStore } from "./open-store.ts";
import { createTransactor } from "./transaction.ts";

describeStateEngine({
  name: "memory",
  capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
  open: () => {
    const clock = new FakeClock();
    const engine = openMemoryEngine({ clock });
    return Promise.resolve({
      engine,
      advance: (ms) => clock.advance(ms),
      close: () => engine.close(),
    });
  },
});

const spec = { value: t.Integer(), durability: "ephemeral" } as const;

async function openSmall(entriesMax: number) {
  const clock = new FakeClock();
  const engine = openMemoryEngine({ clock, entriesMax });
  const store = await openStore(engine, { scope: "a", name: "b", spec });
  return { clock, engine, store };
}

const isFull = (error: unknown): boolean => isBanyanError(error, "STATE_ENTRIES_FULL");

test("a full engine refuses new entries by name and still takes changes", async () => {
  const { engine, store } = await openSmall(3);
  await store.setMany([
    ["a", 1],
    ["b", 1],
    ["c", 1],
  ]);
  await assert.rejects(store.set("d", 1), isFull);
  await store.set("a", 2);
  await store.delete("b");
  await assert.rejects(
    store.setMany([
      ["d", 1],
      ["e", 1],
    ]),
    isFull,
  );
  assert.deepEqual(
    (await store.scan()).entries.map(({ key }) => key),
    ["a", "c"],
  );
  await store.set("d", 1);
  const other = await openStore(engine, { scope: "a", name: "other", spec });
  await assert.rejects(other.set("a", 1), isFull);
});

test("a transaction that does not fit leaves nothing; one that makes room fits", async () => {
  const clock = new FakeClock();
  const engine = openMemoryEngine({ clock, entriesMax: 3 });
  const transactional = { ...spec, capabilities: ["transaction"] } as const;
  const store = await openStore(engine, { scope: "a", name: "b", spec: transactional });
  const transact = createTransactor({ engine, stores: { store } });
  await store.setMany([
    ["a", 1],
    ["b", 1],
  ]);
  const tooMuch = transact((tx) => {
    for (const key of ["a", "c", "d"]) tx.stores.store.set(key, 2);
  });
  await assert.rejects(tooMuch, isFull);
  assert.deepEqual([await store.get("a"), await store.has("c")], [1, false]);
  await transact((tx) => {
    for (const key of ["c", "d"]) tx.stores.store.set(key, 2);
    tx.stores.store.delete("a");
  });
  assert.deepEqual(
    (await store.scan()).entries.map(({ key }) => key),
    ["b", "c", "d"],
  );
});

test("what is expired makes room for what is new", async () => {
  const { clock, store } = await openSmall(300);
  const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);
  await store.setMany(
    keys.map((key) => [key, 1] as const),
    { ttlMs: 1000 },
  );
  await assert.rejects(store.set("new", 1), isFull);
  await clock.advance(1000);
  await store.setMany(keys.map((key) => [`new-${key}`, 2] as const));
  assert.equal((await store.scan({ limit: 1000 })).entries.length, 300);
});

test("an entry that is written again is not dropped at its old time", async () => {
  const { clock, store } = await openSmall(10);
  await store.set("key", 1, { ttlMs: 1000 });
  await store.set("key", 2);
  await clock.advance(2000);
  for (let n = 0; n < 5; n += 1) await store.set("other", n, { ttlMs: 1 });
  assert.equal(await store.get("key"), 2);
});

test("the wall clock decides: set back, it prolongs; set on, it ends", async () => {
  const { clock, store } = await openSmall(10);
  await store.set("key", 1, { ttlMs: 1000 });
  clock.jumpWallClock(-5000);
  await clock.advance(5999);
  assert.equal(await store.get("key"), 1);
  clock.jumpWallClock(1);
  assert.equal(await store.get("key"), undefined);
});

test("options of the configuration are checked", async () => {
  const directory = "unused";
  const open = (options: Record<string, unknown>) =>
    memoryState.openState({ directory, clock: new FakeClock(), log: silentLog, options });
  await using engine = await open({ entriesMax: 5 });
  assert.equal(engine.durability, memoryState.kinds.state);
  assert.deepEqual(engine.capabilities, memoryState.capabilities);
  const invalid = (part: string) => (error: unknown) =>
    isBanyanError(error, "STATE_OPTION_INVALID") && error.message.includes(part);
  await assert.rejects(open({ entriesMax: 0 }), invalid("entriesMax is 0"));
  await assert.rejects(open({ entryMax: 5 }), invalid('"entriesMax"'));
  await assert.rejects(open({ clock: 5 }), invalid('"clock"'));
});
