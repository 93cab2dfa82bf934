/** Expiry by the server's own clock, in real time; and what entries that end leave behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { EngineStore, EngineWrite, Expiry, StateEngine } from "@banyan/state";
import { runStateChecks, stateChecks } from "@banyan/state/conformance";
import type { StateHarness } from "@banyan/state/conformance";
import { findReasonToSkip, openRedisServer, redisPrograms, until } from "@banyan/testbed";
import { openRedis } from "./redis-engine.ts";
import { RedisStore } from "./redis-store.ts";

const skip = await findReasonToSkip(redisPrograms);

/** Nobody meets a millisecond: what the law asks just before the end is asked this much earlier. */
const EARLY_MS = 350;

function realHarness(engine: StateEngine): StateHarness {
  let owedMs = 0;
  return {
    engine,
    advance: async (ms) => {
      const isJustBefore = ms % 10 === 9;
      await sleep(isJustBefore ? ms - EARLY_MS : ms + owedMs + 2);
      owedMs = isJustBefore ? EARLY_MS : 0;
    },
    close: () => engine.close(),
  };
}

test("the law of expiry holds in real time", { skip }, async () => {
  await using server = await openRedisServer();
  const expiry = stateChecks.filter(({ name, needs }) => {
    return needs === "expires" && !name.startsWith("latest");
  });
  assert(expiry.length >= 9);
  let opened = 0;
  const suite = {
    name: "redis",
    capabilities: ["expires", "revisions", "transaction"] as const,
    open: async () => {
      opened += 1;
      return realHarness(await openRedis({ url: server.url, keyPrefix: `run-${opened}` }));
    },
  };
  const results = await Promise.all(expiry.map((check) => runStateChecks(suite, [check])));
  assert.deepEqual(
    results.flat().filter(({ kind }) => kind !== "held"),
    [],
  );
});

async function rawStore(engine: StateEngine): Promise<RedisStore> {
  const opened: EngineStore = await engine.openStore({
    scope: "expiry",
    name: "store",
    durability: "ephemeral",
    capabilities: new Set(),
  });
  assert(opened instanceof RedisStore);
  return opened;
}

function write(key: string, expiry: Expiry): EngineWrite {
  return { key, value: 1, version: 1, expiry };
}

test(
  "the count is right at every moment, and the sweep takes the dead from the index",
  { skip },
  async () => {
    await using server = await openRedisServer();
    await using engine = await openRedis({ url: server.url, sweepIntervalMs: 100 });
    const store = await rawStore(engine);
    await store.setMany(Array.from({ length: 30 }, (_, n) => write(`dies-${n}`, 150)));
    await store.setMany(Array.from({ length: 10 }, (_, n) => write(`lives-${n}`, "none")));
    assert.equal(await store.count(), 40);
    await store.deleteMany(["dies-0", "lives-0", "missing"]);
    await store.set(write("dies-1", "none"));
    await store.set(write("dies-2", "keep"));
    assert.equal(await store.count(), 38);
    await until(async () => (await store.count()) === 10, { what: "The end of 28 entries" });
    const members = async (key: string) =>
      Number(await server.ask("ZCARD", `banyan:{expiry}:store:${key}`));
    await until(async () => (await members("i")) === 10, { what: "The sweep" });
    assert.equal(await members("x"), 0);
  },
);

test("an entry that ended and is written again keeps no old end", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await rawStore(engine);
  for (const expiry of ["keep", "none"] as const) {
    await store.set(write("a", 5));
    await until(async () => !(await store.has("a")), { what: "The end of an entry" });
    await store.set(write("a", expiry));
    assert.equal(await store.count(), 1);
    await store.sweep(10);
    assert.equal(await store.count(), 1);
    assert.equal((await store.scan({ prefix: "", after: undefined, limit: 9 })).length, 1);
    await store.delete("a");
  }
});

test("many dead keys before a living one are passed in bounded steps", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const spec = { value: t.Integer(), durability: "ephemeral" } as const;
  const store = await openStore(engine, { scope: "expiry", name: "store", spec });
  for (let from = 0; from < 5000; from += 1000) {
    const keys = Array.from({ length: 1000 }, (_, n) => [`a-${from + n}`, n] as const);
    await store.setMany(keys, { ttlMs: 60_000 });
  }
  await store.setMany([
    ["z-1", 1],
    ["z-2", 2],
  ]);
  // As if they had ended: the entries go, nobody tells the index.
  for (let from = 0; from < 5000; from += 1000) {
    const keys = Array.from({ length: 1000 }, (_, n) => `banyan:{expiry}:store:e:a-${from + n}`);
    await server.ask("DEL", ...keys);
  }
  const page = await store.scan({ limit: 100 });
  assert.deepEqual(
    page.entries.map(({ key }) => key),
    ["z-1", "z-2"],
  );
  assert.equal(await server.ask("ZCARD", "banyan:{expiry}:store:i"), 2);
});
