/** What happens to callers when the server dies, freezes, forgets, or cannot be reached. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import {
  createRecordingLog,
  findReasonToSkip,
  openRedisServer,
  openTcpProxy,
  redisPrograms,
  until,
} from "@banyan/testbed";
import type { TcpProxy } from "@banyan/testbed";
import { openRedis, redisClients } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = { value: t.Integer(), durability: "ephemeral" } as const;
const commandTimeoutMs = 300;

async function storeOf(engine: StateEngine): Promise<Store<number>> {
  return openStore(engine, { scope: "faults", name: "store", spec });
}

function codes(ends: readonly PromiseSettledResult<unknown>[]): string[] {
  return ends.map((end) => (end.status === "fulfilled" ? "done" : String(end.reason.code)));
}

async function untilWorks(store: Store<number>): Promise<void> {
  const works = () =>
    store.set("probe", 1).then(
      () => true,
      () => false,
    );
  await until(works, { what: "The engine's coming back", timeoutMs: 10_000 });
}

/** Milliseconds that something took to fail, and its code. */
async function failure(work: Promise<unknown>): Promise<readonly [code: string, ms: number]> {
  const startedMs = performance.now();
  const [code = ""] = codes(await Promise.allSettled([work]));
  return [code, performance.now() - startedMs];
}

test(
  "a server that is killed is missed within the deadline, and found again",
  { skip },
  async () => {
    await using server = await openRedisServer();
    const log = createRecordingLog();
    await using engine = await openRedis({ url: server.url, commandTimeoutMs, log });
    const store = await storeOf(engine);
    await store.set("a", 1);
    await server.kill();
    for (const work of [() => store.set("a", 2), () => store.get("a"), () => store.scan()]) {
      const [code, ms] = await failure(work());
      assert.equal(code, "STATE_ENGINE_UNAVAILABLE");
      assert(ms < commandTimeoutMs + 200, `${ms} ms`);
    }
    await assert.rejects(Promise.resolve(engine.check()), { code: "REDIS_UNREACHABLE" });
    for (let round = 0; round < 3; round += 1) {
      await server.start();
      await untilWorks(store);
      await engine.check();
      // One connection is ours, one is the question's.
      const clients = String(await server.ask("INFO", "clients"));
      assert.match(clients, /connected_clients:[12]\r/);
      await server.kill();
    }
    assert(log.lines.some(({ message }) => message === "no connection to Redis"));
    assert(log.lines.some(({ message }) => message === "connected to Redis"));
  },
);

test("a write that waits for a connection is done once there is one", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await storeOf(engine);
  await server.kill();
  await until(() => !redisIsReady(engine), { what: "The end of the connection" });
  const writes = Array.from({ length: 100 }, (_, n) => store.set("a", n));
  const gone = new AbortController();
  const withdrawn = store.set("b", 1, { signal: gone.signal });
  gone.abort();
  await assert.rejects(withdrawn, { code: "CALL_CANCELLED" });
  await server.start();
  await Promise.all(writes);
  assert.deepEqual([await store.get("a"), await store.get("b")], [99, undefined]);
});

function redisIsReady(engine: StateEngine): boolean {
  return redisClients(engine).every(({ status }) => status === "ready");
}

test(
  "a server that is frozen leaves sent writes unknown and the next ones undone",
  { skip },
  async () => {
    await using server = await openRedisServer();
    await using engine = await openRedis({ url: server.url, commandTimeoutMs });
    const store = await storeOf(engine);
    await store.set("a", 1);
    server.pause();
    const [sent, read] = [failure(store.set("a", 2)), failure(store.get("a"))];
    const [code, ms] = await sent;
    assert.equal(code, "STATE_OUTCOME_UNKNOWN");
    assert(ms >= commandTimeoutMs - 5 && ms < commandTimeoutMs + 200, `${ms} ms`);
    assert.equal((await read)[0], "STATE_ENGINE_UNAVAILABLE");
    assert.equal((await failure(store.set("a", 3)))[0], "STATE_ENGINE_UNAVAILABLE");
    await assert.rejects(Promise.resolve(engine.check()));
    server.resume();
    await untilWorks(store);
    // The unknown one was done, for the server read it when it woke; the other never left.
    assert.equal(await store.get("a"), 2);
  },
);

async function behindProxy(
  work: (parts: { proxy: TcpProxy; engine: StateEngine; store: Store<number> }) => Promise<void>,
): Promise<void> {
  await using server = await openRedisServer({ listen: "tcp" });
  assert("port" in server.address);
  await using proxy = await openTcpProxy({ to: server.address });
  await using engine = await openRedis({ url: proxy.urlOf(server.url), commandTimeoutMs });
  await work({ proxy, engine, store: await storeOf(engine) });
}

test(
  "a line that is cut ends what was sent, and one new line is used after it",
  { skip },
  async () => {
    await behindProxy(async ({ proxy, engine, store }) => {
      for (let round = 0; round < 5; round += 1) {
        proxy.stall();
        const work = [store.set("a", round), store.get("a")];
        await new Promise(setImmediate);
        proxy.cut();
        const ends = codes(await Promise.allSettled(work));
        assert.deepEqual(ends, ["STATE_OUTCOME_UNKNOWN", "STATE_ENGINE_UNAVAILABLE"]);
        assert.equal((await failure(store.set("a", 9)))[0], "STATE_ENGINE_UNAVAILABLE");
        await proxy.heal();
        await untilWorks(store);
        assert.equal(proxy.connections, 1);
      }
      await engine.check();
    });
  },
);

test(
  "a silent line is hung up on, and opening waits for no longer than it may",
  { skip },
  async () => {
    await behindProxy(async ({ proxy, store }) => {
      proxy.stall();
      assert.equal((await failure(store.get("a")))[0], "STATE_ENGINE_UNAVAILABLE");
      const url = `redis://127.0.0.1:${proxy.port}`;
      const opening = openRedis({ url, commandTimeoutMs: 100, connectTimeoutMs: 350 });
      const [code, ms] = await failure(opening);
      assert.equal(code, "REDIS_UNREACHABLE");
      assert(ms > 300 && ms < 900, `${ms} ms`);
      await proxy.heal();
      await untilWorks(store);
    });
  },
);

test(
  "at the start a server is waited for, and refused by name when it does not come",
  { skip },
  async () => {
    await using server = await openRedisServer();
    await server.kill();
    const [code, ms] = await failure(openRedis({ url: server.url, connectTimeoutMs: 200 }));
    assert.equal(code, "REDIS_UNREACHABLE");
    assert(ms < 500, `${ms} ms`);
    const opening = openRedis({ url: server.url });
    await server.start();
    await using engine = await opening;
    await engine.check();
  },
);

test("more requests than may wait are refused before they are sent", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url, requestsWaitingMax: 10 });
  const store = await storeOf(engine);
  const ends = await Promise.allSettled(
    Array.from({ length: 15 }, (_, n) => store.set(`k${n}`, n)),
  );
  const counted = codes(ends);
  assert.deepEqual(counted.filter((code) => code === "done").length, 10);
  assert.deepEqual(
    counted.slice(10),
    Array.from({ length: 5 }, () => "STATE_ENGINE_UNAVAILABLE"),
  );
  // The same words as for the full queue of another engine, and none of a failure.
  for (const end of ends.slice(10)) {
    assert(end.status === "rejected" && isBanyanError(end.reason));
    const { message, details, retryAfterMs } = end.reason;
    assert.match(
      message,
      /^10 requests wait for the engine redis.*\(requestsWaitingMax\); nothing/,
    );
    assert.deepEqual(details, { engine: "redis", requestsWaitingMax: 10 });
    assert.equal(retryAfterMs, 100);
  }
  assert.equal(await store.has("k12"), false);
});

test(
  "closing finishes what was asked, and ends a wait for a server that is gone",
  { skip },
  async () => {
    await using server = await openRedisServer();
    const engine = await openRedis({ url: server.url, commandTimeoutMs });
    const store = await storeOf(engine);
    const writes = Array.from({ length: 100 }, (_, n) => store.set("a", n));
    await engine.close();
    await Promise.all(writes);
    await assert.rejects(store.get("a"), { code: "CLOSED" });
    await using other = await openRedis({ url: server.url, commandTimeoutMs });
    const late = await storeOf(other);
    assert.equal(await late.get("a"), 99);
    await server.kill();
    const [ends] = await Promise.all([Promise.allSettled([late.set("a", 1)]), other.close()]);
    assert.equal(codes(ends)[0], "STATE_ENGINE_UNAVAILABLE");
  },
);

test(
  "a server whose memory is full refuses what adds to it, does none of it, and takes deletes",
  { skip },
  async () => {
    const config = { maxmemory: "8mb", "maxmemory-policy": "noeviction", save: "" };
    await using server = await openRedisServer({ config });
    await using engine = await openRedis({ url: server.url });
    const texts = {
      value: t.String(),
      durability: "ephemeral",
      capabilities: ["expires"],
    } as const;
    const store = await openStore(engine, { scope: "faults", name: "store", spec: texts });
    const text = "x".repeat(1000);
    const kept: string[] = [];
    for (let n = 0; kept.length === n; n += 100) {
      assert(n < 20_000, "the server was never full");
      const keys = Array.from({ length: 100 }, (_, at) => `k${n + at}`);
      const ends = await Promise.allSettled(keys.map((key) => store.set(key, text)));
      kept.push(...keys.filter((_, at) => ends[at]?.status === "fulfilled"));
      const refused = ends.filter(({ status }) => status === "rejected");
      assert(codes(refused).every((code) => code === "STATE_ENGINE_UNAVAILABLE"));
    }
    const memory = String(await server.ask("INFO", "memory"));
    const used = Number(/used_memory:(\d+)/.exec(memory)?.[1]);
    assert(used < 9 << 20, `${used} bytes are used`);
    await server.ask("CONFIG", "SET", "maxmemory", String(used - 200_000));
    const adding = [
      store.set("more", text),
      store.set("more", text, { ttlMs: 60_000 }),
      store.set("more", text, { ifAbsent: true }),
      store.update("more", () => text),
      store.setMany([["more", text]]),
    ];
    for (const code of codes(await Promise.allSettled(adding))) {
      assert.equal(code, "STATE_ENGINE_UNAVAILABLE");
    }
    assert.equal(await store.has("more"), false);
    assert.equal(await store.count(), kept.length);
    const gone = kept.splice(0, 300);
    assert.equal(await store.deleteMany(gone.slice(0, 100)), 100);
    assert(await store.delete(gone[100] ?? ""));
    const deleted = await Promise.all(gone.slice(101).map((key) => store.delete(key)));
    assert(deleted.every(Boolean));
    await store.set("more", text);
    assert.equal(await store.count(), kept.length + 1);
  },
);
