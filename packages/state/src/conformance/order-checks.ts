/** The order of writes that nobody waited for, and what `latest` shows of them. */

import assert from "node:assert/strict";
import type { EngineStore, EngineWrite } from "../engine.ts";
import type { StateCheck } from "./harness.ts";
import { allKeys } from "./harness.ts";

const increment = (current: unknown): number => (typeof current === "number" ? current : 0) + 1;

function write(key: string, value: unknown): EngineWrite {
  return { key, value, version: 1, expiry: "none" };
}

/** `latest` bound to its store; `undefined` where the engine has none to offer. */
function latestOf(entries: EngineStore): ((key: string) => Promise<unknown>) | undefined {
  if (entries.latest === undefined) return undefined;
  return async (key) => (await entries.latest?.(key))?.value;
}

export const orderChecks: readonly StateCheck[] = [
  {
    name: "writes take effect in the order in which they were handed over",
    async run(subject) {
      const store = await subject.store();
      const work: Promise<unknown>[] = [];
      for (let n = 0; n < 30; n += 1) {
        work.push(store.set("same", n), store.set("gone", n), store.delete("gone"));
        work.push(
          store.setMany([
            ["same", `many ${n}`],
            ["late", n],
          ]),
        );
        work.push(store.deleteMany(["late", "other"]), store.set("back", n));
      }
      await Promise.all(work);
      assert.deepEqual(await allKeys(store), ["back", "same"]);
      assert.deepEqual([await store.get("same"), await store.get("back")], ["many 29", 29]);
    },
  },
  {
    name: "a condition is held against the writes that were handed over before it",
    async run(subject) {
      const store = await subject.store();
      const first = store.set("key", 1);
      const second = store.set("key", 2, { ifAbsent: true });
      const ends = await Promise.allSettled([first, second]);
      assert.deepEqual(
        ends.map(({ status }) => status),
        ["fulfilled", "rejected"],
      );
      const removed = store.delete("key");
      const created = store.set("key", 3, { ifAbsent: true });
      await Promise.all([removed, created]);
      assert.equal(await store.get("key"), 3);
    },
  },
  {
    name: "updates, writes and deletions at once leave what their order makes of them",
    async run(subject) {
      const store = await subject.store();
      const work: Promise<unknown>[] = [store.set("key", 100)];
      for (let n = 0; n < 20; n += 1) work.push(store.update("key", increment));
      await Promise.all(work);
      assert.equal(await store.get("key"), 120);
      const again = [
        store.delete("key"),
        ...work.slice(1).map(() => store.update("key", increment)),
      ];
      await Promise.all(again);
      assert.equal(await store.get("key"), 20);
    },
  },
  {
    name: "latest shows what was handed over, whichever method wrote it",
    async run(subject) {
      const entries = await subject.entries();
      const latest = latestOf(entries);
      if (latest === undefined) return;
      await entries.setMany([write("b", 0), write("c", 0)]);
      const work: unknown[] = [];
      work.push(entries.set(write("a", 1)));
      assert.equal(await latest("a"), 1);
      work.push(entries.set(write("a", 2)), entries.set(write("b", 1)));
      assert.deepEqual([await latest("a"), await latest("b")], [2, 1]);
      work.push(entries.setMany([write("a", 3), write("c", 3)]));
      assert.deepEqual([await latest("a"), await latest("b"), await latest("c")], [3, 1, 3]);
      work.push(entries.delete("a"), entries.deleteMany(["b", "missing"]));
      assert.deepEqual([await latest("a"), await latest("b")], [undefined, undefined]);
      if (subject.has("transaction")) {
        const set = { kind: "set", store: entries, write: write("a", 4) } as const;
        const remove = { kind: "delete", store: entries, key: "c" } as const;
        work.push(subject.transact({ changes: [set, remove] }));
        assert.deepEqual([await latest("a"), await latest("c")], [4, undefined]);
      }
      await Promise.all(work);
      for (const key of ["a", "b", "c", "missing"]) {
        assert.deepEqual(await entries.latest?.(key), await entries.get(key));
      }
    },
  },
  {
    name: "latest does not show a write whose condition did not hold",
    async run(subject) {
      const entries = await subject.entries();
      const latest = latestOf(entries);
      if (latest === undefined) return;
      await entries.set(write("a", 1));
      const work = [
        entries.set(write("a", 2), { ifAbsent: true }),
        entries.set(write("a", 3), { ifMatch: "never" }),
        entries.set(write("b", 4), { ifMatch: "never" }),
        entries.delete("a", { ifMatch: "never" }),
      ];
      assert.deepEqual([await latest("a"), await latest("b")], [1, undefined]);
      for (const outcome of work) assert.equal((await outcome).kind, "conflict");
      assert.deepEqual([await latest("a"), await latest("b")], [1, undefined]);
    },
  },
  {
    name: "a write may name the etag of one that is not acknowledged yet",
    async run(subject) {
      const entries = await subject.entries();
      if (entries.latest === undefined) return;
      const outcomes = [entries.set(write("key", 0), { ifAbsent: true })];
      for (let n = 1; n <= 50; n += 1) {
        const pending = await entries.latest("key");
        assert.equal(pending?.value, n - 1);
        outcomes.push(entries.set(write("key", n), { ifMatch: pending.etag }));
      }
      const last = await entries.latest("key");
      for (const outcome of outcomes) assert.equal((await outcome).kind, "written");
      const entry = await entries.get("key");
      assert.deepEqual([entry?.value, entry?.etag], [50, last?.etag]);
    },
  },
  {
    name: "latest knows of expiry, and of the time to live that a pending write keeps",
    needs: "expires",
    async run(subject) {
      const entries = await subject.entries();
      const latest = latestOf(entries);
      if (latest === undefined) return;
      const work: unknown[] = [entries.set({ ...write("key", 1), expiry: 1000 })];
      work.push(entries.set({ ...write("key", 2), expiry: "keep" }));
      assert.equal(await latest("key"), 2);
      await Promise.all(work);
      await subject.harness.advance(999);
      assert.equal(await latest("key"), 2);
      await subject.harness.advance(1);
      assert.equal(await latest("key"), undefined);
      const anew = entries.set({ ...write("key", 3), expiry: "keep" });
      assert.equal(await latest("key"), 3);
      await anew;
      await subject.harness.advance(5000);
      assert.equal(await latest("key"), 3);
    },
  },
];
