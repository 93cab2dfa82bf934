/** Transactions: checks and changes of several keys and stores, all of it or none. */

import assert from "node:assert/strict";
import type { EngineChange, EngineStore, EngineWrite, Expiry } from "../engine.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { allKeys, readDuring, rejectsWith } from "./harness.ts";

const needs = "transaction";
const capabilities = ["transaction"];
const increment = (current: unknown): number => (typeof current === "number" ? current : 0) + 1;

function write(key: string, value: unknown, expiry: Expiry = "none"): EngineWrite {
  return { key, value, version: 1, expiry };
}

function set(store: EngineStore, key: string, value: unknown): EngineChange {
  return { kind: "set", store, write: write(key, value) };
}

function remove(store: EngineStore, key: string): EngineChange {
  return { kind: "delete", store, key };
}

async function twoStores(subject: Subject) {
  const left = await subject.entries({ name: "left", capabilities });
  const right = await subject.entries({ name: "right", capabilities });
  const valuesOf = async (store: EngineStore) => {
    const found = await store.scan({ prefix: "", after: undefined, limit: 1000 });
    return Object.fromEntries(found.map(({ key, value }) => [key, value]));
  };
  const values = async () => [await valuesOf(left), await valuesOf(right)];
  return { left, right, values };
}

export const transactionChecks: readonly StateCheck[] = [
  {
    name: "an engine has what it declares about transactions, and nothing else",
    async run({ engine }) {
      const { capabilities: declared } = engine;
      assert.equal(engine.transact !== undefined, declared.has("transaction"));
      assert.equal(engine.medium !== undefined, declared.has("outbox"));
      assert.equal(engine.outbox !== undefined, declared.has("relay"));
      assert(declared.has("transaction") || !declared.has("outbox"), "outbox needs transaction");
      assert(declared.has("outbox") || !declared.has("relay"), "relay needs outbox");
    },
  },
  {
    name: "a transaction writes and deletes in several stores",
    needs,
    async run(subject) {
      const { left, right, values } = await twoStores(subject);
      await left.setMany([write("a", 1), write("b", 1), write("same", 1)]);
      const changes = [
        set(left, "a", 2),
        remove(left, "b"),
        set(right, "same", 3),
        remove(right, "missing"),
      ];
      assert.deepEqual(await subject.transact({ changes }), { kind: "committed" });
      assert.deepEqual(await values(), [{ a: 2, same: 1 }, { same: 3 }]);
      assert.deepEqual(await subject.transact({}), { kind: "committed" });
    },
  },
  {
    name: "a check that does not hold is a conflict, and nothing is written",
    needs,
    async run(subject) {
      const { left, right, values } = await twoStores(subject);
      await left.setMany([write("a", 1), write("b", 1)]);
      const stale = (await left.get("a"))?.etag;
      await left.set(write("a", 2));
      const fresh = (await left.get("a"))?.etag;
      const refused = [
        { store: left, key: "a", etag: stale },
        { store: left, key: "a", etag: "" },
        { store: left, key: "a", etag: undefined },
        { store: left, key: "missing", etag: stale },
        { store: right, key: "a", etag: fresh },
      ];
      const holds = { store: left, key: "a", etag: fresh };
      const changes = [set(left, "a", 3), remove(left, "b"), set(right, "new", 1)];
      for (const check of refused) {
        for (const checks of [[check], [holds, check], [check, holds]]) {
          assert.deepEqual(await subject.transact({ checks, changes }), { kind: "conflict" });
          assert.deepEqual(await values(), [{ a: 2, b: 1 }, {}]);
        }
        assert.deepEqual(await subject.transact({ checks: [check] }), { kind: "conflict" });
      }
      assert.equal((await left.get("a"))?.etag, fresh);
    },
  },
  {
    name: "checks of presence and of absence hold when they are true",
    needs,
    async run(subject) {
      const { left, right, values } = await twoStores(subject);
      await left.set(write("a", 1));
      const checks = [
        { store: left, key: "a", etag: (await left.get("a"))?.etag },
        { store: left, key: "b", etag: undefined },
        { store: right, key: "a", etag: undefined },
      ];
      assert.deepEqual(await subject.transact({ checks }), { kind: "committed" });
      const changes = [set(left, "b", 2), set(right, "a", 2)];
      assert.deepEqual(await subject.transact({ checks, changes }), { kind: "committed" });
      assert.deepEqual(await values(), [{ a: 1, b: 2 }, { a: 2 }]);
      assert.deepEqual(await subject.transact({ checks, changes }), { kind: "conflict" });
    },
  },
  {
    name: "a transaction that cannot be done leaves nothing behind",
    needs,
    async run(subject) {
      const { left, right, values } = await twoStores(subject);
      await left.set(write("a", 1));
      // The engine never opened this one, though it looks like one of its own.
      const foreign: EngineStore = { ...right };
      const code = "STATE_TRANSACTION_MIXED";
      const half = [set(left, "a", 2), set(right, "b", 2)];
      await rejectsWith(code, subject.transact({ changes: [...half, set(foreign, "c", 2)] }));
      await rejectsWith(code, subject.transact({ changes: [remove(foreign, "c"), ...half] }));
      const checks = [{ store: foreign, key: "a", etag: undefined }];
      await rejectsWith(code, subject.transact({ checks, changes: half }));
      assert.deepEqual(await values(), [{ a: 1 }, {}]);
      assert.deepEqual(await subject.transact({ changes: half }), { kind: "committed" });
    },
  },
  {
    name: "every write of a transaction gets an etag of its own",
    needs,
    async run(subject) {
      const { left, right } = await twoStores(subject);
      const etags: unknown[] = [];
      for (let round = 0; round < 3; round += 1) {
        await subject.transact({
          changes: [set(left, "a", 1), set(left, "b", 1), set(right, "a", 1)],
        });
        etags.push((await left.get("a"))?.etag, (await left.get("b"))?.etag);
        etags.push((await right.get("a"))?.etag);
        await subject.transact({ changes: [remove(left, "a")] });
      }
      assert.equal(new Set(etags).size, etags.length);
      assert(!etags.includes(undefined));
    },
  },
  {
    name: "a transaction sees writes that were handed over before it, and not those after it",
    needs,
    async run(subject) {
      const { left, values } = await twoStores(subject);
      const absent = [{ store: left, key: "a", etag: undefined }];
      const outcomes = await Promise.all([
        subject.transact({ checks: absent, changes: [set(left, "a", 1)] }),
        subject.transact({ checks: absent, changes: [set(left, "a", 2)] }),
        left.set(write("b", 1)),
        subject.transact({ changes: [set(left, "b", 2)] }),
        left.delete("c"),
        subject.transact({ changes: [set(left, "c", 1)] }),
        left.set(write("c", 2), { ifAbsent: true }),
      ]);
      const kinds = outcomes.map(({ kind }) => kind);
      assert.deepEqual(kinds, [
        "committed",
        "conflict",
        "written",
        "committed",
        "deleted",
        "committed",
        "conflict",
      ]);
      assert.deepEqual((await values())[0], { a: 1, b: 2, c: 1 });
    },
  },
  {
    name: "nobody sees half a transaction",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const transact = subject.transactor({ store });
      const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
      for (let round = 0; round < 5; round += 1) {
        const work = transact(({ stores }) => {
          for (const key of keys) stores.store.set(key, round);
        });
        // Read to the end before anything is judged, so that nothing is left running behind.
        for (const found of await readDuring(work, () => store.getMany(keys))) {
          assert(found.length === 0 || found.length === keys.length, "half of it was seen");
          assert(new Set(found.map(({ value }) => value)).size <= 1, "half of it was seen");
        }
      }
    },
  },
  {
    name: "transactions that move amounts lose and make none, whoever else writes",
    needs,
    async run(subject) {
      const left = await subject.store({ name: "left", capabilities });
      const right = await subject.store({ name: "right", capabilities });
      const transact = subject.transactor({ left, right });
      await left.set("a", 100);
      const move = (amount: number) =>
        transact(async ({ stores }) => {
          const from = Number(await stores.left.get("a"));
          if (from < amount) return false;
          stores.left.set("a", from - amount);
          await stores.right.update("a", (to) => Number(to ?? 0) + amount);
          return true;
        });
      const moves = Array.from({ length: 40 }, (_, n) => [
        move((n % 5) + 1),
        left.update("a", increment),
      ]);
      const ends = await Promise.all(moves.flat());
      assert(ends.includes(true));
      assert.equal(Number(await left.get("a")) + Number(await right.get("a")), 140);
    },
  },
  {
    name: "a transaction that throws writes nothing",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const transact = subject.transactor({ store });
      await store.set("a", 1);
      const failed = transact(async ({ stores }) => {
        await stores.store.update("a", increment);
        stores.store.set("b", 1);
        throw new RangeError("not today");
      });
      await assert.rejects(failed, RangeError);
      assert.deepEqual(await allKeys(store), ["a"]);
      assert.equal(await store.get("a"), 1);
    },
  },
  {
    name: "a transaction takes a thousand changes and a thousand checks",
    needs,
    async run(subject) {
      const { left } = await twoStores(subject);
      const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
      const changes = keys.map((key) => set(left, key, key));
      const absent = keys.map((key) => ({ store: left, key, etag: undefined }));
      assert.equal((await subject.transact({ checks: absent, changes })).kind, "committed");
      const found = await left.getMany(keys);
      const checks = keys.map((key, index) => ({ store: left, key, etag: found[index]?.etag }));
      const removals = keys.map((key) => remove(left, key));
      assert.equal((await subject.transact({ checks, changes: removals })).kind, "committed");
      assert.equal((await subject.transact({ checks: absent })).kind, "committed");
    },
  },
  {
    name: "a transaction gives, keeps and takes away a time to live",
    needs,
    async run(subject) {
      if (!subject.expires) return;
      const entries = await subject.entries({ capabilities });
      const put = (key: string, expiry: Expiry): EngineChange => ({
        kind: "set",
        store: entries,
        write: write(key, 1, expiry),
      });
      await entries.setMany([write("kept", 0, 1000), write("cleared", 0, 1000), write("a", 0)]);
      const changes = [put("kept", "keep"), put("cleared", "none"), put("a", "keep")];
      await subject.transact({ changes: [...changes, put("given", 1000), put("new", "keep")] });
      await subject.harness.advance(999);
      const keys = ["kept", "cleared", "a", "given", "new"];
      const living = async () => {
        const found = await entries.getMany(keys);
        return keys.filter((_, index) => found[index] !== undefined);
      };
      assert.deepEqual(await living(), keys);
      await subject.harness.advance(1);
      assert.deepEqual(await living(), ["cleared", "a", "new"]);
    },
  },
  {
    name: "what is expired is absent to a transaction's checks",
    needs,
    async run(subject) {
      if (!subject.expires) return;
      const entries = await subject.entries({ capabilities });
      await entries.setMany([write("a", 1, 1000), write("b", 1, 1000)]);
      const etag = (await entries.get("a"))?.etag;
      await subject.harness.advance(1000);
      const changes = [set(entries, "c", 1)];
      const there = [{ store: entries, key: "a", etag }];
      assert.equal((await subject.transact({ checks: there, changes })).kind, "conflict");
      const absent = [{ store: entries, key: "b", etag: undefined }];
      assert.equal((await subject.transact({ checks: absent, changes })).kind, "committed");
    },
  },
  {
    name: "a transaction survives a restart whole",
    needs,
    async run(subject) {
      if (subject.engine.durability !== "durable") return;
      const { left, right } = await twoStores(subject);
      await left.set(write("b", 1));
      await subject.transact({
        changes: [set(left, "a", 1), remove(left, "b"), set(right, "a", 2)],
      });
      const etag = (await left.get("a"))?.etag;
      await subject.restart();
      const after = await twoStores(subject);
      assert.deepEqual(await after.values(), [{ a: 1 }, { a: 2 }]);
      assert.equal((await after.left.get("a"))?.etag, etag);
    },
  },
  {
    name: "a closed engine answers a transaction with CLOSED",
    needs,
    async run(subject) {
      const { left } = await twoStores(subject);
      await subject.engine.close();
      const changes = [set(left, "a", 1)];
      await rejectsWith(
        "CLOSED",
        Promise.try(() => subject.transact({ changes })),
      );
    },
  },
];
