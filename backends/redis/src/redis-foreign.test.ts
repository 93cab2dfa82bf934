/** Another program writes to the engine's keys: what it broke is named, the rest goes on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { findReasonToSkip, openRedisServer, redisPrograms } from "@banyan/testbed";
import type { RedisServer } from "@banyan/testbed";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const spec = {
  value: t.Integer(),
  durability: "ephemeral",
  capabilities: ["expires", "transaction"],
} as const;
const entries = "banyan:{foreign}:store:e:";

/** Rejects as lost data, and says of which store, and of which entry where that is known. */
async function lost(asked: Promise<unknown>, key: string | undefined): Promise<void> {
  const error: unknown = await asked.catch((caught: unknown) => caught);
  assert(isBanyanError(error, "STATE_VALUE_UNREADABLE"), String(error));
  assert.deepEqual([error.kind, error.details?.["key"]], ["data_loss", key]);
  if (key === undefined) return;
  assert.equal(error.details?.["store"], "foreign.store");
  assert.match(error.message, /key "b" in store foreign\.store/);
}

async function withStore(
  work: (parts: { server: RedisServer; store: Store<number> }) => Promise<void>,
): Promise<void> {
  await using server = await openRedisServer();
  await using engine = await openRedis({ url: server.url });
  const store = await openStore(engine, { scope: "foreign", name: "store", spec });
  await store.setMany(["a", "b", "c"].map((key, n) => [key, n] as const));
  await work({ server, store });
}

test("a foreign or corrupt value is lost data of a named key, not a failed engine", { skip }, () =>
  withStore(async ({ server, store }) => {
    const revised = { ...spec, capabilities: ["revisions"] } as const;
    await using engine = await openRedis({ url: server.url });
    const counted = await openStore(engine, { scope: "foreign", name: "store", spec: revised });
    const planted = ["", "hello", "etag 1\n{", "etag 1", "etag x\n1", "etag \n1", " 1\n1", "\n1"];
    for (const text of planted) {
      await server.ask("SET", `${entries}b`, text);
      await lost(store.get("b"), "b");
      await lost(store.getMany(["a", "b", "c"]), "b");
      await lost(store.scan(), "b");
      await lost(
        store.update("b", () => 1),
        "b",
      );
      assert.deepEqual([await store.get("a"), await store.get("c")], [0, 2]);
      assert.equal((await store.scan({ prefix: "a" })).entries.length, 1);
    }
    await server.ask("SET", `${entries}b`, "etag 1 x 0 0\n1");
    await lost(counted.get("b"), "b");
    await store.set("b", 7);
    assert.deepEqual([await store.get("b"), await store.count()], [7, 3]);
  }),
);

test("so is a key of another type", { skip }, () =>
  withStore(async ({ server, store }) => {
    await server.ask("DEL", `${entries}b`);
    await server.ask("RPUSH", `${entries}b`, "what");
    await lost(store.get("b"), "b");
    await lost(store.scan(), "b");
    assert.equal(await store.has("b"), true);
    assert.deepEqual([await store.get("a"), await store.get("c")], [0, 2]);
    assert.equal(await store.delete("b"), true);
    assert.equal((await store.scan()).entries.length, 2);
  }),
);

for (const index of ["i", "x"]) {
  void test(
    `a foreign key for the index :${index} refuses writes before they begin`,
    { skip },
    () =>
      withStore(async ({ server, store }) => {
        const [mine, other] = [index, index === "i" ? "x" : "i"].map(
          (each) => `banyan:{foreign}:store:${each}`,
        );
        assert(mine !== undefined && other !== undefined);
        await store.set("a", 0, { ttlMs: 60_000 });
        const before = await server.ask("ZRANGE", other, "0", "-1");
        await server.ask("DEL", mine);
        await server.ask("SET", mine, "what");
        const writes = [
          () => [store.set("a", 9)],
          () => [store.set("new", 9, { ttlMs: 60_000 })],
          () => [store.set("new", 9), store.set("a", 9)],
          () => [store.delete("a")],
          () => [store.delete("a"), store.delete("b")],
          () => [store.setMany([["new", 9]])],
          () => [store.deleteMany(["a", "b"])],
        ];
        for (const write of writes) for (const end of write()) await lost(end, undefined);
        assert.deepEqual(await server.ask("ZRANGE", other, "0", "-1"), before);
        assert.deepEqual(await store.getMany(["a", "b", "new"]).then(valuesOf), [0, 1]);
        assert((await server.ask("PTTL", `${entries}a`)) !== -1);
      }),
  );
}

function valuesOf(found: readonly { readonly value: number }[]): number[] {
  return found.map(({ value }) => value);
}
