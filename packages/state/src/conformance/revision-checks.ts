/** Revisions: how often an entry was written, when it was made and when it was last changed. */

import assert from "node:assert/strict";
import type { RevisedStore } from "@banyan/kernel";
import type { StateCheck } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

const needs = "revisions";
const stepMs = 1000;
const slackMs = 60_000; // a real clock is waited for, and nobody waits to the millisecond

async function revisionOf(store: RevisedStore<unknown>, key: string): Promise<number | undefined> {
  return (await store.getEntry(key))?.revision;
}

function assertPassed(fromMs: number, toMs: number, ms: number): void {
  assert(toMs - fromMs >= ms && toMs - fromMs < ms + slackMs, `${toMs - fromMs} ms, not ${ms}`);
}

export const revisionChecks: readonly StateCheck[] = [
  {
    name: "an entry begins at revision 1 and every write counts one more",
    needs,
    async run(subject) {
      const store = await subject.revisedStore();
      await store.set("key", 1);
      assert.equal(await revisionOf(store, "key"), 1);
      await store.set("key", 1);
      await store.set("key", 2, { ifMatch: (await store.getEntry("key"))?.etag });
      assert.equal(await revisionOf(store, "key"), 3);
      await store.update("key", () => 3);
      await store.setMany([
        ["key", 4],
        ["other", 1],
      ]);
      assert.equal(await revisionOf(store, "key"), 5);
      assert.equal(await revisionOf(store, "other"), 1);
      await Promise.all(Array.from({ length: 10 }, (_, n) => store.set("key", n)));
      assert.equal(await revisionOf(store, "key"), 15);
    },
  },
  {
    name: "a write that conflicts counts nothing",
    needs,
    async run(subject) {
      const store = await subject.revisedStore();
      await store.set("key", 1);
      const conflict = "STATE_VERSION_CONFLICT";
      await rejectsWith(conflict, store.set("key", 2, { ifAbsent: true }));
      await rejectsWith(conflict, store.set("key", 2, { ifMatch: "never" }));
      await rejectsWith(conflict, store.delete("key", { ifMatch: "never" }));
      assert.equal(await revisionOf(store, "key"), 1);
    },
  },
  {
    name: "the time of the first write stays, the time of the last one moves",
    needs,
    async run(subject) {
      const store = await subject.revisedStore();
      await store.set("key", 1);
      const first = (await store.getEntry("key")) ?? assert.fail("it was written");
      assert(first.createdAtMs > 0);
      assert.equal(first.updatedAtMs, first.createdAtMs);
      for (const [index, change] of [
        () => store.set("key", 2),
        () => store.setMany([["key", 3]]),
        () => store.update("key", () => 4),
      ].entries()) {
        await subject.harness.advance(stepMs);
        await change();
        const entry = (await store.getEntry("key")) ?? assert.fail("it was written");
        assert.equal(entry.createdAtMs, first.createdAtMs);
        assertPassed(first.createdAtMs, entry.updatedAtMs, stepMs * (index + 1));
      }
    },
  },
  {
    name: "delete-and-create begins anew, in number and time",
    needs,
    async run(subject) {
      const store = await subject.revisedStore();
      await store.set("a", 1);
      await store.set("a", 2);
      await store.set("b", 1);
      await store.set("b", 2);
      const before = (await store.getEntry("a")) ?? assert.fail("it was written");
      await store.delete("a");
      await store.deleteMany(["b"]);
      await subject.harness.advance(stepMs);
      await store.set("a", 3, { ifAbsent: true });
      await store.update("b", () => 3);
      for (const key of ["a", "b"]) {
        const entry = (await store.getEntry(key)) ?? assert.fail("it was written");
        assert.equal(entry.revision, 1);
        assertPassed(before.createdAtMs, entry.createdAtMs, stepMs);
        assert.equal(entry.updatedAtMs, entry.createdAtMs);
      }
    },
  },
  {
    name: "what expired and is written again begins anew",
    needs,
    async run(subject) {
      if (!subject.expires) return;
      const store = await subject.revisedStore();
      await store.set("key", 1, { ttlMs: stepMs });
      await store.update("key", () => 2);
      const before = (await store.getEntry("key")) ?? assert.fail("it was written");
      assert.equal(before.revision, 2);
      await subject.harness.advance(stepMs);
      await store.set("key", 3);
      const entry = (await store.getEntry("key")) ?? assert.fail("it was written");
      assert.equal(entry.revision, 1);
      assertPassed(before.createdAtMs, entry.createdAtMs, stepMs);
    },
  },
  {
    name: "every way of reading an entry tells the same revision",
    needs,
    async run(subject) {
      const store = await subject.revisedStore();
      await store.set("key", { a: 1 });
      await subject.harness.advance(stepMs);
      const etag = await store.set("key", { a: 2 });
      const entry = (await store.getEntry("key")) ?? assert.fail("it was written");
      const { revision, createdAtMs, updatedAtMs } = entry;
      const expected = { key: "key", value: { a: 2 }, etag, revision, createdAtMs, updatedAtMs };
      assert.deepEqual([entry, revision], [expected, 2]);
      assert.deepEqual(await store.getMany(["key"]), [expected]);
      assert.deepEqual((await store.scan()).entries, [expected]);
    },
  },
  {
    name: "a store that did not ask for revisions shows none",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1);
      await store.set("key", 2);
      const expected = ["etag", "key", "value"];
      const [entry, [many], scanned] = await Promise.all([
        store.getEntry("key"),
        store.getMany(["key"]),
        store.scan(),
      ]);
      for (const each of [entry, many, scanned.entries[0]]) {
        assert.deepEqual(Object.keys(each ?? {}).sort(), expected);
      }
    },
  },
  {
    name: "an entry from before its store asked is the first, of an unknown time",
    needs,
    async run(subject) {
      const plain = await subject.store();
      const etag = await plain.set("key", 1);
      const store = await subject.revisedStore();
      const unknown = { revision: 1, createdAtMs: 0, updatedAtMs: 0 };
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: 1, etag, ...unknown });
      await store.set("key", 2);
      const entry = (await store.getEntry("key")) ?? assert.fail("it was written");
      assert.deepEqual([entry.revision, entry.createdAtMs], [2, 0]);
      assert(entry.updatedAtMs > 0);
    },
  },
  {
    name: "a transaction counts one for each key it writes",
    needs,
    async run(subject) {
      if (!subject.has("transaction")) return;
      const store = await subject.revisedStore({ capabilities: ["transaction"] });
      const transact = subject.transactor({ store });
      await store.set("a", 1);
      const before = (await store.getEntry("a")) ?? assert.fail("it was written");
      await subject.harness.advance(stepMs);
      await transact(async ({ stores }) => {
        stores.store.set("a", 2);
        stores.store.set("a", 3);
        await stores.store.update("a", () => 4);
        stores.store.set("b", 1);
      });
      const entry = (await store.getEntry("a")) ?? assert.fail("it was written");
      assert.deepEqual([entry.revision, entry.createdAtMs], [2, before.createdAtMs]);
      assertPassed(before.createdAtMs, entry.updatedAtMs, stepMs);
      assert.equal(await revisionOf(store, "b"), 1);
      await transact(({ stores }) => stores.store.delete("a"));
      await transact(({ stores }) => stores.store.set("a", 5));
      assert.equal(await revisionOf(store, "a"), 1);
    },
  },
  {
    name: "revisions survive a restart",
    needs,
    async run(subject) {
      if (subject.engine.durability !== "durable") return;
      const before = await subject.revisedStore();
      await before.set("key", 1);
      await subject.harness.advance(stepMs);
      await before.set("key", 2);
      const entry = await before.getEntry("key");
      await subject.restart();
      const after = await subject.revisedStore();
      assert.deepEqual(await after.getEntry("key"), entry);
      await after.set("key", 3);
      assert.equal(await revisionOf(after, "key"), 3);
    },
  },
];
