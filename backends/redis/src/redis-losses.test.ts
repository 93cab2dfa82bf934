/**
 * What acknowledged writes are lost when a server is killed under load, by how it is set: counted
 * on real servers, and bounded. The table of it is in docs/reference/stores.md.
 *
 * A process is killed, not a machine: what the system has not put on disk yet is not lost here.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import {
  findReasonToSkip,
  openRedisServer,
  openTcpProxy,
  redisPrograms,
  until,
} from "@banyan/testbed";
import type { RedisServer } from "@banyan/testbed";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = { value: t.Integer(), durability: "ephemeral" } as const;
const TURN = 8;
const CUT_MS = 4500;

/** A write of a key of its own, how it ended and when. */
interface Write {
  readonly key: string;
  readonly end: "done" | "not done" | "unknown";
  readonly atMs: number;
}

/** Writes turn after turn until it is told to stop; each turn is acknowledged before the next. */
async function underLoad(
  server: RedisServer,
  work: (writes: readonly Write[]) => Promise<void>,
): Promise<readonly Write[]> {
  await using engine = await openRedis({ url: server.url, commandTimeoutMs: 300 });
  const store = await openStore(engine, { scope: "losses", name: "store", spec });
  const writes: Write[] = [];
  let isOver = false;
  const writing = async (): Promise<void> => {
    while (!isOver) {
      const keys = Array.from({ length: TURN }, (_, n) => `k${writes.length + n}`);
      writes.push(...(await Promise.all(keys.map((key, n) => write(store, key, n)))));
    }
  };
  const written = writing();
  await until(() => writes.length >= 2000, { what: "The first two thousand writes" });
  await work(writes);
  isOver = true;
  await written;
  return writes;
}

async function write(store: Store<number>, key: string, value: number): Promise<Write> {
  const end = await store.set(key, value).then(
    () => "done" as const,
    (error: unknown) => {
      if (isBanyanError(error, "STATE_OUTCOME_UNKNOWN")) return "unknown";
      assert(isBanyanError(error, "STATE_ENGINE_UNAVAILABLE"), String(error));
      return "not done";
    },
  );
  return { key, end, atMs: performance.now() };
}

/** Who was acknowledged and is not there; nothing is there that is said not to have been done. */
async function lostOn(server: RedisServer, writes: readonly Write[]): Promise<readonly Write[]> {
  await using engine = await openRedis({ url: server.url });
  const store = await openStore(engine, { scope: "losses", name: "store", spec });
  const kept = new Set<string>();
  for (let at = 0; at < writes.length; at += 1000) {
    const keys = writes.slice(at, at + 1000).map(({ key }) => key);
    for (const { key } of await store.getMany(keys)) kept.add(key);
  }
  assert.equal(await store.count(), kept.size);
  for (const { key, end } of writes) assert(end !== "not done" || !kept.has(key), key);
  const done = writes.filter(({ end }) => end === "done");
  const lost = done.filter(({ key }) => !kept.has(key));
  // One writer, turn after turn: what is lost is at the end. In a turn they are one call, or few.
  assert.deepEqual(lost, done.slice(done.length - lost.length));
  return lost;
}

function tell(context: TestContext, writes: readonly Write[], lost: readonly Write[]): void {
  const done = writes.filter(({ end }) => end === "done").length;
  context.diagnostic(`${lost.length} of ${done} acknowledged writes were lost`);
}

const disks = [
  { title: "as Redis ships", config: {}, lostMs: Infinity },
  {
    title: "appendfsync everysec",
    config: { appendonly: "yes", appendfsync: "everysec" },
    lostMs: 2000,
  },
  { title: "appendfsync always", config: { appendonly: "yes", appendfsync: "always" }, lostMs: 0 },
];

for (const { title, config, lostMs } of disks) {
  void test(`a kill and a restart on the same disk, ${title}`, { skip }, async (context) => {
    await using server = await openRedisServer({ config });
    let killedMs = 0;
    const writes = await underLoad(server, async () => {
      killedMs = performance.now();
      await server.kill();
    });
    await server.start();
    const lost = await lostOn(server, writes);
    tell(context, writes, lost);
    if (lostMs === 0) assert.equal(lost.length, 0);
    // Its first snapshot is a minute away.
    else if (lostMs === Infinity) assert(lost.length >= 2000);
    else assert(lost.every(({ atMs }) => atMs > killedMs - lostMs));
  });
}

const replicas = [
  { title: "asynchronous", config: {}, isBounded: false },
  {
    title: "min-replicas-to-write 1, min-replicas-max-lag 1",
    config: { "min-replicas-to-write": "1", "min-replicas-max-lag": "1" },
    isBounded: true,
  },
];

/** A primary and its replica, with a line between them that can be stalled. */
async function withReplica(
  config: Readonly<Record<string, string>>,
  work: (parts: {
    primary: RedisServer;
    replica: RedisServer;
    line: Awaited<ReturnType<typeof openTcpProxy>>;
  }) => Promise<void>,
): Promise<void> {
  await using primary = await openRedisServer({ listen: "tcp", config });
  await using replica = await openRedisServer({ listen: "tcp", replicaOf: primary });
  assert("port" in primary.address);
  await using line = await openTcpProxy({ to: primary.address });
  await replica.ask("REPLICAOF", line.host, String(line.port));
  const follows = async (): Promise<boolean> =>
    /connected_slaves:1[^]*state=online/.test(String(await primary.ask("INFO", "replication")));
  await until(async () => line.connections > 0 && (await follows()), { what: "A line" });
  await replica.untilCaughtUp();
  await work({ primary, replica, line });
}

for (const { title, config, isBounded } of replicas) {
  void test(`a primary that is killed beside its replica, ${title}`, { skip }, (context) =>
    withReplica(config, async ({ primary, replica }) => {
      let killedMs = 0;
      const writes = await underLoad(primary, async () => {
        killedMs = performance.now();
        await primary.kill();
      });
      const isMissed = async (): Promise<boolean> =>
        String(await replica.ask("INFO", "replication")).includes("master_link_status:down");
      await until(isMissed, { what: "The replica's notice" });
      await replica.promote();
      const lost = await lostOn(replica, writes);
      tell(context, writes, lost);
      // What was on its way between two processes of one machine.
      assert(lost.every(({ atMs }) => atMs > killedMs - 1000));
    }),
  );

  void test(`a primary that is cut off from its replica, ${title}`, { skip }, (context) =>
    withReplica(config, async ({ primary, replica, line }) => {
      let cutMs = 0;
      const writes = await underLoad(primary, async (soFar) => {
        cutMs = performance.now();
        line.stall();
        await until(() => (soFar.at(-1)?.atMs ?? 0) > cutMs + CUT_MS, {
          what: "Writes of some seconds",
        });
        await primary.kill();
      });
      line.cut();
      await replica.promote();
      const lost = await lostOn(replica, writes);
      tell(context, writes, lost);
      const lostMs = (lost.at(-1)?.atMs ?? 0) - cutMs;
      context.diagnostic(`acknowledged until ${Math.round(lostMs)} ms after the cut`);
      assert(lost.every(({ atMs }) => atMs > cutMs - 1000));
      // The lag of one second is counted in whole ones, once a second.
      if (isBounded) assert(lostMs < 4000);
      else assert(lostMs > CUT_MS - 500);
    }),
  );
}
