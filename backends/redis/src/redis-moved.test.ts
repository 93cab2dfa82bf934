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
  const config = { save: "", "cluster-require-full-coverage": "no" };
  if (skip === false) cluster = await openRedisCluster({ config });
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
  const others = cluster.nodes.filter((node) => ![from, to].includes(node) && node.isRunning);
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

/** Turns of writes to stores of one scope, in runs that leave together. */
class Load {
  readonly #stores: readonly Store<number>[];
  readonly #writes: readonly Write[][];
  readonly #random = createSeededRandom(seedOf());
  #value = 0;

  constructor(stores: readonly Store<number>[]) {
    this.#stores = stores;
    this.#writes = stores.map(() => []);
  }

  turn(): void {
    for (let run = 0; run < 6; run += 1) {
      const at = this.#upTo(this.#stores.length);
      const isDelete = this.#random.next() < 0.4;
      for (let left = 1 + this.#upTo(40); left > 0; left -= 1) this.#write(at, isDelete);
    }
  }

  async assertHolds(): Promise<void> {
    for (const [at, store] of this.#stores.entries()) {
      await assertHolds(store, await replay(this.#writes[at] ?? []));
    }
  }

  /** How many were done, and not done. */
  async count(): Promise<readonly [number, number]> {
    const ends = await Promise.all(this.#writes.flat().map(({ end }) => end));
    const undone = ends.filter((end) => end === "not done").length;
    return [ends.length - undone, undone];
  }

  #write(at: number, isDelete: boolean): void {
    const key = `k${this.#upTo(25)}`;
    const store = this.#stores[at] ?? assert.fail();
    const value = isDelete ? undefined : (this.#value += 1);
    const asked = value === undefined ? store.delete(key) : store.set(key, value);
    this.#writes[at]?.push({ key, value, end: endOf(asked) });
  }

  #upTo(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }
}

/** While a member is away, the others are asked for a newer map all the time. */
const clusters = [
  { state: "that is whole", isWhole: true, rounds: 8 },
  { state: "of which a member is away", isWhole: false, rounds: 16 },
];

for (const { state, isWhole, rounds } of clusters) {
  void test(
    `sets and deletes of one turn end once each while their slot moves, in order, in a Cluster ${state}`,
    { skip },
    async (context) => {
      await using engine: StateEngine = await openRedis({ cluster: addresses() });
      const opened = ["one", "other"].map((name) =>
        openStore(engine, { scope: "joined", name: `${name}-${rounds}`, spec }),
      );
      const load = new Load(await Promise.all(opened));
      let ends = await endsOf("joined");
      const away = cluster.nodes.find((node) => !ends.includes(node));
      if (!isWhole) await away?.kill();
      for (let round = 0; round < rounds; round += 1) {
        let isMoving = true;
        const moving = move("joined", ends).finally(() => (isMoving = false));
        while (isMoving) {
          load.turn();
          await new Promise(setImmediate);
        }
        await moving;
        for (let n = 0; n < 5; n += 1) load.turn();
        ends = [ends[1], ends[0]];
        await load.assertHolds();
      }
      const [done, undone] = await load.count();
      context.diagnostic(`${done} writes were done, ${undone} were not done`);
      assert(done > 1000);
      if (!isWhole) await away?.start();
      await cluster.untilOk();
    },
  );
}

/** A scope that this member has, of many. */
async function scopeOn(node: RedisServer): Promise<string> {
  for (let n = 0; ; n += 1) {
    if ((await cluster.nodeOf(`{scope-${n}}`)) === node) return `scope-${n}`;
  }
}

/** What is asked behind this on the engine's connection waits for so long. */
function block(
  engine: StateEngine,
  { node, scope, seconds }: { node: RedisServer; scope: string; seconds: number },
): Promise<unknown> {
  const { address } = node;
  assert("port" in address);
  const raw = redisClients(engine).find(({ options }) => options.port === address.port);
  assert(raw !== undefined);
  return raw.blpop(`{${scope}}:nothing`, seconds).catch(() => undefined);
}

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
    assert(third !== undefined);
    const [near, local] = await Promise.all([scopeOn(third), scopeOn(from)]);
    const other = await openStore(engine, { scope: near, name: "s", spec });
    await Promise.all([store.set("a", 1), other.set("a", 1)]);
    await move("late", ends);
    const startedMs = performance.now();
    const moved = Array.from({ length: 5 }, (_, n) => endOf(store.set(`k${n}`, n)));
    await new Promise(setImmediate);
    // Sent right behind them: what asks after the replies waits two seconds on that connection.
    const blocking = block(engine, { node: from, scope: local, seconds: 2 });
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

test(
  "a newer map that is found by another way overtakes nothing that is on its way",
  { skip },
  async () => {
    await using engine: StateEngine = await openRedis({ cluster: addresses() });
    const ends = await endsOf("slow");
    const third = cluster.nodes.find((node) => !ends.includes(node));
    assert(third !== undefined);
    const [near, local] = await Promise.all([scopeOn(third), scopeOn(ends[0])]);
    const store = await openStore(engine, { scope: "slow", name: "s", spec });
    const other = await openStore(engine, { scope: near, name: "s", spec });
    const blocking = block(engine, { node: ends[0], scope: local, seconds: 1 });
    const first = store.set("key", 1);
    await new Promise(setImmediate);
    await move("slow", ends);
    await move(near, [third, ends[1]]);
    // Its own slot moved; the map that is asked for has the other one too.
    await other.set("key", 1);
    await Promise.all([first, store.set("key", 2), blocking]);
    assert.equal(await store.get("key"), 2);
    await move(near, [ends[1], third]);
  },
);
