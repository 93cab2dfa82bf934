/** Replies that come in the middle of a change: what is told to be undone is undone. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { isBanyanError, systemClock, t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import {
  findReasonToSkip,
  openRedisCluster,
  openRedisServer,
  redisPrograms,
  until,
} from "@banyan/testbed";
import { slotOf } from "./layout.ts";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = { value: t.Integer(), durability: "ephemeral", capabilities: ["expires"] } as const;

async function endOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => "done",
    (error: unknown) => (isBanyanError(error) ? error.code : error),
  );
}

test("while a slot moves, what has an end is written whole or not at all", { skip }, async () => {
  await using cluster = await openRedisCluster({ config: { save: "" } });
  await using engine = await openRedis({
    cluster: cluster.urls.map((url) => url.replace("redis://", "")),
  });
  const store = await openStore(engine, { scope: "moving", name: "s", spec });
  await store.setMany(["a", "b"].map((key) => [key, 1] as const));
  await store.set("dead", 1, { ttlMs: 1 });
  await systemClock.sleep(20);
  const from = await cluster.nodeOf("{moving}");
  const to = cluster.nodes.find((node) => node !== from) ?? from;
  const [fromId, toId] = await Promise.all(
    [from, to].map(async (node) => String(await node.ask("CLUSTER", "MYID"))),
  );
  const slot = String(slotOf("moving"));
  await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId ?? "");
  await from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", toId ?? "");
  assert.equal(await endOf(store.set("a", 2, { ttlMs: 60_000 })), "done");
  assert.deepEqual([await store.get("a"), await store.get("b")], [2, 1]);
  await from.ask("CLUSTER", "SETSLOT", slot, "STABLE");
  await to.ask("CLUSTER", "SETSLOT", slot, "STABLE");
  // The dead one is swept by the next write that may.
  await store.set("b", 3, { ttlMs: 60_000 });
  const noted = await from.ask("ZRANGE", "banyan:{moving}:s:x", "0", "-1");
  assert.deepEqual(noted, ["a", "b"]);
});

test("where a foreign value is in the way, nothing of a write is done", { skip }, async () => {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await openStore(engine, { scope: "faults", name: "store", spec });
  const keys = ["k0", "k1", "k2"];
  await Promise.all(keys.map((key, n) => store.set(key, n)));
  for (const [foreign, of] of [
    ["banyan:{faults}:store:x", "the notes"],
    ["banyan:{faults}:store:i", "the index"],
  ] as const) {
    const kept = `${foreign}-kept`;
    await server.ask("RENAME", foreign, kept).catch(() => undefined); // there may be no note
    await server.ask("SET", foreign, "foreign");
    const before = String(await server.ask("MGET", "banyan:{faults}:store:e:k0"));
    const asked = [
      store.delete("k0"),
      store.delete("k1"),
      store.set("k0", 7),
      store.set("new", 7),
      store.set("new", 7, { ttlMs: 60_000 }),
      store.set("new", 7, { ifAbsent: true }),
      store.setMany([["new", 7]]),
    ];
    for (const end of await Promise.all(asked.map(endOf))) {
      assert.equal(end, "STATE_VALUE_UNREADABLE", of);
    }
    assert.equal(String(await server.ask("MGET", "banyan:{faults}:store:e:k0")), before);
    await server.ask("DEL", foreign);
    await server.ask("RENAME", kept, foreign).catch(() => undefined);
    const { entries } = await store.scan();
    assert.deepEqual(
      entries.map(({ key, value }) => [key, value]),
      keys.map((key, n) => [key, n]),
      of,
    );
    assert.equal(await store.count(), keys.length);
  }
});

test(
  "a line that falls silent when the scripts are gone is hung up on as well",
  { skip },
  async () => {
    await using server = await openRedisServer({ listen: "tcp" });
    assert("port" in server.address);
    const { address } = server;
    let lines = 0;
    const proxy = createServer((near) => {
      lines += 1;
      const isFirst = lines === 1;
      let isSilent = false;
      const far = connect(address);
      near.pipe(far);
      far.on("data", (bytes: Buffer) => {
        if (!isSilent) near.write(bytes);
        if (isFirst && bytes.includes("NOSCRIPT")) isSilent = true;
      });
      for (const end of [near, far]) {
        end.on("error", () => undefined);
        end.on("close", () => {
          near.destroy();
          far.destroy();
        });
      }
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const place = proxy.address();
    assert(typeof place === "object" && place !== null);
    const url = `redis://127.0.0.1:${place.port}`;
    try {
      await using engine = await openRedis({ url, commandTimeoutMs: 200 });
      const store = await openStore(engine, { scope: "faults", name: "store", spec });
      await server.ask("SCRIPT", "FLUSH");
      await endOf(store.set("a", 1));
      const works = async (): Promise<boolean> => (await endOf(store.set("a", 2))) === "done";
      await until(works, { what: "A write on a new line", timeoutMs: 5000 });
      assert.equal(lines, 2);
    } finally {
      proxy.close();
    }
  },
);
