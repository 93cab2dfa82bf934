import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import type { OperationObserver } from "@banyan/telemetry/internal";
import { openMemoryEngine } from "./memory.ts";
import { openStore } from "./open-store.ts";
import { createTransactor } from "./transaction.ts";

const spec = {
  durability: "ephemeral",
  value: t.Object({ n: t.Integer() }),
  capabilities: ["transaction"],
} as const;

function openWatched() {
  const seen: string[] = [];
  let open = 0;
  const observer: OperationObserver = {
    begin(name) {
      open += 1;
      return {
        trace: undefined,
        ended(error) {
          open -= 1;
          seen.push(isBanyanError(error) ? `${name} ${error.code}` : name);
        },
      };
    },
  };
  const engine = openMemoryEngine();
  const opening = openStore(engine, { scope: "a", name: "b", spec, observer });
  return { engine, opening, seen, open: () => open };
}

test("every operation is told once, with how it ended, and answers as ever", async () => {
  const { opening, seen, open } = openWatched();
  const store = await opening;
  const etag = await store.set("k", { n: 1 });
  assert.deepEqual(await store.get("k"), { n: 1 });
  assert.equal((await store.getEntry("k"))?.etag, etag);
  assert.equal((await store.getMany(["k", "l"])).length, 1);
  assert.equal(await store.has("l"), false);
  await store.setMany([["l", { n: 2 }]]);
  assert.deepEqual(await store.update("l", (now) => ({ n: (now?.n ?? 0) + 1 })), { n: 3 });
  assert.equal((await store.scan()).entries.length, 2);
  assert.equal(await store.delete("k"), true);
  assert.equal(await store.deleteMany(["l"]), 1);
  await assert.rejects(store.get(""), { code: "STATE_KEY_INVALID" });
  await assert.rejects(store.set("k", { n: 1 }, { ifMatch: etag }), {
    code: "STATE_VERSION_CONFLICT",
  });
  const thrown = new Error("changed my mind");
  await assert.rejects(
    store.update("k", () => {
      throw thrown;
    }),
    (error) => error === thrown,
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, [
    "set",
    "get",
    "get",
    "getMany",
    "has",
    "setMany",
    "update",
    "scan",
    "delete",
    "deleteMany",
    "get STATE_KEY_INVALID",
    "set STATE_VERSION_CONFLICT",
    "update",
  ]);
  assert.equal(open(), 0);
});

test("a watched store takes part in transactions", async () => {
  const { engine, opening } = openWatched();
  const store = await opening;
  const transact = createTransactor({ engine, stores: { store } });
  await transact(async ({ stores }) => stores["store"]?.set("k", { n: 7 }));
  assert.deepEqual(await store.get("k"), { n: 7 });
});

test("a failure that nobody waits for stays an unhandled one", async () => {
  const { opening } = openWatched();
  const store = await opening;
  const unhandled: unknown[] = [];
  const listeners = process.rawListeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason) => unhandled.push(reason));
  try {
    void store.set("", { n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) {
      // Put back as they were; what the process emits fits them.
      process.on("unhandledRejection", listener as (reason: unknown) => void);
    }
  }
  assert.equal(unhandled.length, 1);
  assert.ok(isBanyanError(unhandled[0], "STATE_KEY_INVALID"));
});
