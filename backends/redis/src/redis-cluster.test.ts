/** The law over a Cluster of three, and what a Cluster cannot do. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import { createTransactor, openStore } from "@banyan/state";
import { describeStateEngine } from "@banyan/state/conformance";
import { findReasonToSkip, openRedisCluster, redisPrograms, until } from "@banyan/testbed";
import type { RedisCluster } from "@banyan/testbed";
import { openMovedHarness } from "./conformance/moved-clock.ts";
import { slotOf } from "./layout.ts";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = {
  value: t.Integer(),
  durability: "ephemeral",
  capabilities: ["transaction"],
} as const;

let cluster: RedisCluster;
const addresses = (): string[] => cluster.urls.map((url) => url.replace("redis://", ""));

before(async () => {
  if (skip === false) {
    cluster = await openRedisCluster({
      config: {
        "cluster-node-timeout": "500",
        "cluster-require-full-coverage": "no",
        save: "",
      },
    });
  }
});
after(async () => {
  if (skip === false) await cluster[Symbol.asyncDispose]();
});

if (skip === false) {
  describeStateEngine({
    name: "redis, a Cluster of three",
    capabilities: ["expires", "revisions", "transaction"],
    runs: 30,
    open: async () =>
      openMovedHarness({
        servers: cluster.nodes,
        options: { cluster: addresses() },
        keeper: await cluster.nodeOf("{law}"),
      }),
  });
}

test("the slot of a tag is the one that Redis computes", { skip }, async () => {
  const [node] = cluster.nodes;
  for (const tag of ["", "a", "greeter", "gr%C3%BC%C3%9Fe", "123456789", "x".repeat(300)]) {
    assert.equal(slotOf(tag), await node?.ask("CLUSTER", "KEYSLOT", tag));
  }
});

test("all keys of a scope are in one slot; scopes spread over the members", { skip }, async () => {
  await using engine = await openRedis({ cluster: addresses().slice(0, 1) });
  const scopes = Array.from({ length: 12 }, (_, index) => `scope-${index}`);
  for (const scope of scopes) {
    for (const name of ["one", "two"]) {
      const store = await openStore(engine, { scope, name, spec });
      await store.setMany([
        ["a", 1],
        ["b", 2],
      ]);
      assert.equal((await store.scan()).entries.length, 2);
    }
  }
  const counts = await Promise.all(cluster.nodes.map((node) => node.ask("DBSIZE")));
  assert(
    counts.every((count) => Number(count) >= 6),
    String(counts),
  );
});

test("a transaction over scopes is refused by name, and nothing is done", { skip }, async () => {
  await using engine = await openRedis({ cluster: addresses() });
  const left = await openStore(engine, { scope: "left", name: "one", spec });
  const right = await openStore(engine, { scope: "right", name: "one", spec });
  const near = await openStore(engine, { scope: "left", name: "two", spec });
  const transact = createTransactor({ engine, stores: { left, right, near } });
  const refused = transact(({ stores }) => {
    stores.left.set("a", 1);
    stores.right.set("a", 1);
  });
  await assert.rejects(refused, (error: unknown) => {
    assert(isBanyanError(error, "STATE_TRANSACTION_MIXED"), String(error));
    assert.match(error.message, /left, right.*different slots.*one scope/);
    return true;
  });
  assert.deepEqual([await left.has("a"), await right.has("a")], [false, false]);
  await transact(({ stores }) => {
    stores.left.set("a", 1);
    stores.near.set("a", 2);
  });
  assert.deepEqual([await left.get("a"), await near.get("a")], [1, 2]);
});

test(
  "a slot that moved is found, and no write is lost, doubled or overtaken",
  { skip },
  async () => {
    const slot = slotOf("moving");
    const tagged = "{moving}";
    const from = await cluster.nodeOf(tagged);
    const to = cluster.nodes.find((node) => node !== from) ?? from;
    await using engine = await openRedis({ cluster: addresses() });
    const store = await openStore(engine, { scope: "moving", name: "s", spec });
    const ids = await Promise.all([from, to].map((node) => node.ask("CLUSTER", "MYID")));
    const writes: Promise<unknown>[] = [];
    for (let n = 0; n < 200; n += 1) writes.push(store.set("key", n));
    // It changes hands at once, without its keys.
    await Promise.all(writes);
    const keys = await from.ask("CLUSTER", "GETKEYSINSLOT", String(slot), "100");
    await from.ask("DEL", ...(Array.isArray(keys) ? keys.map(String) : []));
    for (const node of cluster.nodes) {
      await node.ask("CLUSTER", "SETSLOT", String(slot), "NODE", String(ids[1]));
    }
    const after: Promise<unknown>[] = [];
    for (let n = 0; n < 500; n += 1) {
      after.push(store.set("key", n));
      after.push(store.update("sum", (sum) => (sum ?? 0) + 1));
      if (n % 100 === 0) await new Promise(setImmediate);
    }
    await Promise.all(after);
    assert.deepEqual([await store.get("key"), await store.get("sum")], [499, 500]);
    for (const node of cluster.nodes) {
      await node.ask("CLUSTER", "SETSLOT", String(slot), "NODE", String(ids[1]));
    }
  },
);

test("a member that dies takes its scopes with it, the others work on", { skip }, async () => {
  await using engine = await openRedis({
    cluster: addresses(),
    commandTimeoutMs: 500,
    sweepIntervalMs: 100,
  });
  const scopes = ["a", "b", "c", "d", "e", "f", "g"];
  const stores = await Promise.all(
    scopes.map((scope) => openStore(engine, { scope, name: "s", spec })),
  );
  await Promise.all(stores.map((store) => store.set("key", 1)));
  const victim = await cluster.nodeOf("{a}");
  await victim.kill();
  const [dead] = stores;
  await assert.rejects(dead?.set("key", 2) ?? Promise.resolve(), {
    code: "STATE_ENGINE_UNAVAILABLE",
  });
  await assert.rejects(Promise.resolve(engine.check()), { code: "REDIS_UNREACHABLE" });
  const owners = await Promise.all(scopes.map((scope) => cluster.nodeOf(`{${scope}}`)));
  const living = stores.filter((_, index) => owners[index] !== victim);
  assert(living.length > 2);
  const member = cluster.nodes.find((node) => node !== victim);
  const isMissed = async (): Promise<boolean> =>
    /cluster_slots_fail:[1-9]/.test(String(await member?.ask("CLUSTER", "INFO")));
  await until(isMissed, { what: "The members' notice of a death" });
  for (const store of living) await store.set("ends", 1, { ttlMs: 1 });
  // No page was read: what has ended is forgotten by the sweep alone.
  const notes = async (): Promise<number> => {
    let count = 0;
    for (const [index, owner] of owners.entries()) {
      if (owner === victim) continue;
      count += Number(await owner.ask("ZCARD", `banyan:{${scopes[index]}}:s:x`));
    }
    return count;
  };
  await until(async () => (await notes()) === 0, { what: "The sweep of the living members" });
  await victim.start();
  await cluster.untilOk();
  const works = async (): Promise<boolean> => {
    const ends = await Promise.allSettled(stores.map((store) => store.set("key", 3)));
    return ends.every(({ status }) => status === "fulfilled");
  };
  await until(works, { what: "All scopes' coming back", timeoutMs: 10_000 });
  await engine.check();
});
