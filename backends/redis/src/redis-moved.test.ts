/** Slots that go from member to member while they are written to. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createSeededRandom, isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { findReasonToSkip, openRedisCluster, redisPrograms, seedOf } from "@banyan/testbed";
import type { RedisCluster, RedisServer } from "@banyan/testbed";
import { slotOf } from "./layout.ts";
import { openRedis, redisClients } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = { value: t.Integer(), durability: "ephemeral" } as const;

let cluster: RedisCluster;
const addresses = (): string[] => cluster.urls.map((url) => url.replace("redis://", ""));

before(async () => {
  if (skip === false) cluster = await openRedisCluster({ config: { save: "" } });
});
after(async () => {
  if (skip === false) await cluster[Symbol.asyncDispose]();
});

/** The owner of a scope's slot, and somebody else. */
async function endsOf(scope: string): Promise<readonly [RedisServer, RedisServer]> {
  const from = await cluster.nodeOf(`{${scope}}`);
  return [from, cluster.nodes.find((node) => node !== from) ?? from];
}

/** As `redis-cli --cluster reshard` does it: the keys first, then the word to all. */
async function move(scope: string, [from, to]: readonly [RedisServer, RedisServer]): Promise<void> {
  const slot = String(slotOf(scope));
  const [fromId, toId] = await Promise.all([from, to].map((node) => node.ask("CLUSTER", "MYID")));
  assert("port" in to.address);
  const { host, port } = to.address;
  await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", String(fromId));
  await from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", String(toId));
  for (;;) {
    const keys = await from.ask("CLUSTER", "GETKEYSINSLOT", slot, "7");
    if (!Array.isArray(keys) || keys.length === 0) break;
    const words = [host, String(port), "", "0", "5000", "REPLACE", "KEYS", ...keys.map(String)];
    await from.ask("MIGRATE", ...words);
  }
  const others = cluster.nodes.filter((node) => node !== from && node !== to);
  for (const node of [to, from, ...others]) {
    await node.ask("CLUSTER", "SETSLOT", slot, "NODE", String(toId));
  }
}

/** One write, and how it ended: `done`, whether a delete met something, or `not done`. */
interface Write {
  readonly key: string;
  /** `undefined`: delete. */
  readonly value: number | undefined;
  readonly end: Promise<string | boolean>;
}

async function endOf(asked: Promise<boolean | string>): Promise<string | boolean> {
  return asked.then(
    (answer) => (typeof answer === "boolean" ? answer : "done"),
    (error: unknown) => {
      assert(isBanyanError(error, "STATE_ENGINE_UNAVAILABLE"), String(error));
      return "not done";
    },
  );
}

/** What is there after these, each of which ended as it says. */
async function replay(writes: readonly Write[]): Promise<Map<string, number>> {
  const entries = new Map<string, number>();
  for (const [index, { key, value, end }] of writes.entries()) {
    const ended = await end;
    if (ended === "not done") continue;
    if (value !== undefined) entries.set(key, value);
    else assert.equal(ended, entries.delete(key), `delete ${index} of ${key}`);
  }
  return entries;
}

async function assertHolds(store: Store<number>, entries: ReadonlyMap<string, number>) {
  const found = (await store.scan({ limit: 1000 })).entries;
  assert.deepEqual(new Map(found.map(({ key, value }) => [key, value])), entries);
  assert.equal(await store.count(), entries.size);
}

test(
  "sets and deletes of one turn end once each while their slot moves, in order, none lost or doubled",
  { skip },
  async (context) => {
    await using engine: StateEngine = await openRedis({ cluster: addresses() });
    const random = createSeededRandom(seedOf());
    const names = ["one", "other"] as const;
    const opened = names.map((name) => openStore(engine, { scope: "joined", name, spec }));
    const stores = await Promise.all(opened);
    const written: Write[][] = names.map(() => []);
    let value = 0;
    const turn = (): void => {
      for (let run = 0; run < 6; run += 1) {
        const at = Math.floor(random.next() * stores.length);
        const isDelete = random.next() < 0.4;
        const length = 1 + Math.floor(random.next() * 40);
        for (let n = 0; n < length; n += 1) {
          const key = `k${Math.floor(random.next() * 25)}`;
          const store = stores[at] ?? assert.fail();
          const asked = isDelete ? store.delete(key) : store.set(key, (value += 1));
          written[at]?.push({ key, value: isDelete ? undefined : value, end: endOf(asked) });
        }
      }
    };
    let ends = await endsOf("joined");
    for (let round = 0; round < 8; round += 1) {
      let isMoving = true;
      const moving = move("joined", ends).finally(() => (isMoving = false));
      while (isMoving) {
        turn();
        await new Promise(setImmediate);
      }
      await moving;
      for (let n = 0; n < 5; n += 1) turn();
      const [from, to] = ends;
      ends = [to, from];
      for (const [at, writes] of written.entries()) {
        await assertHolds(stores[at] ?? assert.fail(), await replay(writes));
      }
    }
    const all = await Promise.all(written.flat().map(({ end }) => end));
    const undone = all.filter((end) => end === "not done").length;
    context.diagnostic(`${all.length} writes, of which ${undone} were not done`);
    assert(all.length - undone > 1000);
  },
);

test(
  "what waits for the new owner of a slot ends in its time, and the other members work on",
  { skip },
  async () => {
    const commandTimeoutMs = 400;
    await using engine: StateEngine = await openRedis({ cluster: addresses(), commandTimeoutMs });
    const store = await openStore(engine, { scope: "late", name: "s", spec });
    const ends = await endsOf("late");
    const [from, to] = ends;
    const third = cluster.nodes.find((node) => node !== from && node !== to);
    const scopes = Array.from({ length: 30 }, (_, n) => `scope-${n}`);
    const owners = await Promise.all(scopes.map((scope) => cluster.nodeOf(`{${scope}}`)));
    const near = scopes[owners.indexOf(third ?? from)] ?? assert.fail();
    const other = await openStore(engine, { scope: near, name: "s", spec });
    await Promise.all([store.set("a", 1), other.set("a", 1)]);
    await move("late", ends);
    const startedMs = performance.now();
    const moved = Array.from({ length: 5 }, (_, n) => endOf(store.set(`k${n}`, n)));
    await new Promise(setImmediate);
    // Sent right behind them: what asks after the replies waits two seconds on that connection.
    const { address } = from;
    assert("port" in address);
    const raw = redisClients(engine).find(({ options }) => options.port === address.port);
    const local = scopes[owners.indexOf(from)] ?? assert.fail();
    const blocking = raw?.blpop(`{${local}}:nothing`, 2).catch(() => undefined);
    const others = [0, 1, 2].map(async () => {
      await other.set("a", 2);
      return performance.now() - startedMs;
    });
    for (const ms of await Promise.all(others)) assert(ms < commandTimeoutMs, `${ms} ms`);
    assert.deepEqual(new Set(await Promise.all(moved)), new Set(["not done"]));
    const ms = performance.now() - startedMs;
    assert(ms >= commandTimeoutMs - 5 && ms < commandTimeoutMs + 300, `${ms} ms`);
    await blocking;
    await store.set("a", 2);
    assert.equal((await store.scan()).entries.length, 1);
  },
);
