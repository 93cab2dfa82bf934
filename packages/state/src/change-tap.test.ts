import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { tapChanges } from "./change-tap.ts";
import type { StoreChange } from "./change-tap.ts";
import { describeStateEngine } from "./conformance.ts";
import { openMemoryEngine } from "./memory.ts";
import { openStore } from "./open-store.ts";
import { createTransactor } from "./transaction.ts";

describeStateEngine({
  name: "memory with a tap on every store",
  capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
  open: () => {
    const clock = new FakeClock();
    const real = openMemoryEngine({ clock });
    const engine = tapChanges(real, { wants: () => true, changed: () => undefined });
    return Promise.resolve({
      engine,
      advance: (ms) => clock.advance(ms),
      close: () => engine.close(),
    });
  },
});

const spec = {
  value: t.Integer(),
  durability: "ephemeral",
  capabilities: ["transaction"],
} as const;

async function openTapped() {
  const told: StoreChange[] = [];
  const real = openMemoryEngine();
  const engine = tapChanges(real, {
    wants: ({ name }) => name !== "quiet",
    changed: (change) => void told.push(change),
  });
  const store = (name: string) => openStore(engine, { scope: "shop", name, spec });
  return { engine, told, stock: await store("stock"), quiet: await store("quiet") };
}

const wordsOf = (told: readonly StoreChange[]): string[] =>
  told.map(({ scope, name, operation, keys }) => `${scope}.${name} ${operation} ${keys.join()}`);

test("what was acknowledged is told by key, and a conflict is not", async () => {
  const { told, stock, quiet } = await openTapped();
  await stock.set("a", 1);
  await stock.setMany([
    ["b", 1],
    ["c", 1],
  ]);
  await stock.setMany([]);
  await assert.rejects(stock.set("a", 2, { ifAbsent: true }), { code: "STATE_VERSION_CONFLICT" });
  await stock.update("a", (n = 0) => n + 1);
  assert.equal(await stock.delete("never"), false);
  await stock.delete("b");
  await stock.deleteMany(["c", "never"]);
  await stock.deleteMany(["never"]);
  await stock.get("a");
  await quiet.set("a", 1);
  assert.deepEqual(wordsOf(told), [
    "shop.stock set a",
    "shop.stock set b,c",
    "shop.stock set a",
    "shop.stock delete b",
    "shop.stock delete c,never",
  ]);
});

test("a transaction is told store by store once it is committed, and not otherwise", async () => {
  const { engine, told, stock, quiet } = await openTapped();
  const transact = createTransactor({ engine, stores: { stock, quiet } });
  await stock.set("gone", 1);
  told.length = 0;
  await transact(({ stores }) => {
    stores.stock.set("a", 1);
    stores.stock.set("b", 2);
    stores.stock.delete("gone");
    stores.quiet.set("a", 1);
  });
  assert.deepEqual(wordsOf(told), ["shop.stock set a,b", "shop.stock delete gone"]);
  told.length = 0;
  const stop = new Error("changed my mind");
  await assert.rejects(
    transact(({ stores }) => {
      stores.stock.set("c", 1);
      throw stop;
    }),
    stop,
  );
  assert.deepEqual(told, []);
});
