/** Writes of one turn: they leave as few calls, and end as if each went alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { findReasonToSkip, openRedisServer, redisPrograms, seedOf } from "@banyan/testbed";
import type { RedisServer } from "@banyan/testbed";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = { value: t.Integer(), durability: "ephemeral", capabilities: ["expires"] } as const;

/** How often scripts were called since the last question. */
async function callsOf(server: RedisServer): Promise<number> {
  const text = String(await server.ask("INFO", "commandstats"));
  await server.ask("CONFIG", "RESETSTAT");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0);
}

test("writes of one turn and one store are few calls", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await openStore(engine, { scope: "joined", name: "store", spec });
  const keys = Array.from({ length: 500 }, (_, n) => `k${n}`);
  await callsOf(server);
  const etags = await Promise.all(keys.map((key, n) => store.set(key, n)));
  const calls = await callsOf(server);
  assert.equal(new Set(etags).size, keys.length);
  // A packet has 16 of them or more, a call 64 at most.
  assert(calls >= 500 / 64 && calls <= 500 / 16 + 1, `${calls} calls`);
  const found = await Promise.all(keys.map((key) => store.get(key)));
  assert.deepEqual(found, Array.from(keys.keys()));
  const gone = await Promise.all([...keys, "missing"].map((key) => store.delete(key)));
  assert((await callsOf(server)) <= 500 / 16 + 1);
  assert.deepEqual(gone, [...keys.map(() => true), false]);
  assert.equal(await store.count(), 0);
});

test("a large value does not wait for others, nor they for it", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const texts = { value: t.String(), durability: "ephemeral" } as const;
  const store = await openStore(engine, { scope: "joined", name: "store", spec: texts });
  const sizes = [10, 200_000, 40_000, 40_000, 10];
  await callsOf(server);
  await Promise.all(sizes.map((size, n) => store.set(`k${n}`, "x".repeat(size))));
  assert.equal(await callsOf(server), 4); // the last two go together
  const values = await Promise.all(sizes.map((_, n) => store.get(`k${n}`)));
  assert.deepEqual(
    values.map((value) => value?.length),
    sizes,
  );
});

test("one that nobody wants any more is not written, its neighbours are", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await openStore(engine, { scope: "joined", name: "store", spec });
  const unwanted = new AbortController();
  const { signal } = unwanted;
  const writes = [1, 2, 3].map((n) => store.set(`k${n}`, n, n === 2 ? { signal } : {}));
  unwanted.abort();
  const ends = await Promise.allSettled(writes);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  const found = await Promise.all([1, 2, 3].map((n) => store.get(`k${n}`)));
  assert.deepEqual(found, [1, undefined, 3]);
});

/** A value, and whether it has an end. */
type Entries = Map<string, { readonly value: number; readonly isTimed: boolean }>;

/** One question of a turn, and what it must answer. */
interface Step {
  readonly kind: "set" | "delete" | "get";
  readonly text: string;
  readonly ask: (store: Store<number>) => Promise<unknown>;
  readonly expect: (entries: Entries) => unknown;
}

const keys = fc.constantFrom("a", "b", "é", "long ".repeat(20));
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(keys, fc.nat(99)).map(([key, value]) => setting(key, value)) },
  { weight: 4, arbitrary: keys.map(deleting) },
  fc.tuple(keys, fc.nat(99)).map(([key, value]) => setting(key, value, { ttlMs: 60_000 })),
  fc.tuple(keys, fc.nat(99)).map(([key, value]) => setting(key, value, { ifAbsent: true })),
  keys.map(getting),
);

function getting(key: string): Step {
  return {
    kind: "get",
    text: key,
    ask: (store) => store.get(key),
    expect: (entries) => entries.get(key)?.value,
  };
}

function setting(
  key: string,
  value: number,
  options: { readonly ttlMs?: number; readonly ifAbsent?: boolean } = {},
): Step {
  return {
    kind: "set",
    text: `${key} ${JSON.stringify(options)}`,
    ask: async (store) => {
      await store.set(key, value, options);
      return "written";
    },
    expect: (entries) => {
      if (options.ifAbsent === true && entries.has(key)) return "STATE_VERSION_CONFLICT";
      entries.set(key, { value, isTimed: options.ttlMs !== undefined });
      return "written";
    },
  };
}

function deleting(key: string): Step {
  return {
    kind: "delete",
    text: key,
    ask: (store) => store.delete(key),
    expect: (entries) => entries.delete(key),
  };
}

test(
  "whatever is asked in one turn is answered as in a row, though the server forgets its scripts",
  { skip },
  async () => {
    await using server = await openRedisServer();
    await using engine = await openRedis({ url: server.url });
    const names = ["one", "other"] as const;
    const turn = fc.array(fc.tuple(fc.nat(1), steps), { maxLength: 120, size: "max" });
    const turns = fc.array(fc.record({ turn, forgets: fc.boolean() }), {
      minLength: 1,
      maxLength: 4,
    });
    let run = 0;
    const property = fc.asyncProperty(turns, async (history) => {
      run += 1;
      const opened = names.map((name) =>
        openStore(engine, { scope: "joined", name: `${name}-${run}`, spec }),
      );
      const stores = await Promise.all(opened);
      const models: readonly Entries[] = names.map(() => new Map());
      for (const { turn: asked, forgets } of history) {
        if (forgets) await server.ask("SCRIPT", "FLUSH");
        const answers = asked.map(([at, { ask }]) => endOf(ask(stores[at] as Store<number>)));
        const expected = asked.map(([at, { expect }]) => expect(models[at] as Entries));
        const found = await Promise.all(answers);
        // A write that has to be sent again is overtaken by reads that nobody held back for it.
        const isTold = (_: unknown, at: number): boolean =>
          !forgets || asked[at]?.[1].kind !== "get";
        assert.deepEqual(found.filter(isTold), expected.filter(isTold), describeTurn(asked));
        for (const [at, store] of stores.entries()) {
          await assertHolds(store, models[at] as Entries);
          const ends = await server.ask("ZCARD", `banyan:{joined}:${names[at]}-${run}:x`);
          assert.equal(ends, Array.from(models[at]?.values() ?? []).filter(isTimed).length);
        }
      }
    });
    await fc.assert(property, { seed: seedOf(), numRuns: 150 });
  },
);

async function endOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.catch((error: unknown) => (isBanyanError(error) ? error.code : error));
}

const isTimed = (entry: { readonly isTimed: boolean }): boolean => entry.isTimed;

async function assertHolds(store: Store<number>, entries: Entries): Promise<void> {
  const { entries: found } = await store.scan({ limit: 100 });
  const sorted = [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  assert.deepEqual(
    found.map(({ key, value }) => [key, value]),
    sorted.map(([key, { value }]) => [key, value]),
  );
  assert.equal(await store.count(), sorted.length);
}

function describeTurn(asked: readonly (readonly [number, Step])[]): string {
  return asked.map(([at, { kind, text }]) => `${at}: ${kind} ${text}`).join("\n");
}
