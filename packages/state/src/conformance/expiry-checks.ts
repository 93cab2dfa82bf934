/** One law of expiry: gone at `expiresAt`, for every method at once. */

import assert from "node:assert/strict";
import type { StateCheck } from "./harness.ts";
import { allKeys, rejectsWith } from "./harness.ts";

const needs = "expires";
const ttlMs = 1000;

export const expiryChecks: readonly StateCheck[] = [
  {
    name: "an entry is there until its time to live is over and gone from then on",
    needs,
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("key", 1, { ttlMs });
      await store.set("stays", 2);
      await subject.harness.advance(ttlMs - 1);
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: 1, etag });
      await subject.harness.advance(1);
      assert.equal(await store.get("key"), undefined);
      assert.equal(await store.get("stays"), 2);
    },
  },
  {
    name: "every method agrees that an expired entry is gone",
    needs,
    async run(subject) {
      const gone = async (name: string) => {
        const store = await subject.store({ name });
        const etag = await store.set("key", 1, { ttlMs });
        await subject.harness.advance(ttlMs);
        return { store, etag };
      };
      // A store for each method: what one method dropped must not help the next one.
      assert.equal(await (await gone("get")).store.get("key"), undefined);
      assert.equal(await (await gone("entry")).store.getEntry("key"), undefined);
      assert.equal(await (await gone("has")).store.has("key"), false);
      assert.deepEqual(await (await gone("many")).store.getMany(["key"]), []);
      assert.deepEqual((await (await gone("scan")).store.scan()).entries, []);
      assert.equal(await (await gone("delete")).store.delete("key"), false);
      assert.equal(await (await gone("deletes")).store.deleteMany(["key"]), 0);
      const matched = await gone("match");
      const { store, etag } = matched;
      await rejectsWith("STATE_VERSION_CONFLICT", store.set("key", 2, { ifMatch: etag }));
      const removed = await gone("remove");
      const removal = removed.store.delete("key", { ifMatch: removed.etag });
      await rejectsWith("STATE_VERSION_CONFLICT", removal);
      const created = await gone("create");
      await created.store.set("key", 2, { ifAbsent: true });
      assert.equal(await created.store.get("key"), 2);
    },
  },
  {
    name: "set without a time to live takes the old one away",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.set("a", 1, { ttlMs });
      await store.set("b", 1, { ttlMs });
      await store.set("a", 2);
      await store.setMany([["b", 2]]);
      await subject.harness.advance(ttlMs * 10);
      assert.deepEqual([await store.get("a"), await store.get("b")], [2, 2]);
    },
  },
  {
    name: "set with a time to live counts from that write",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.set("longer", 1, { ttlMs });
      await store.set("shorter", 1, { ttlMs: ttlMs * 10 });
      await subject.harness.advance(ttlMs - 1);
      await store.set("longer", 2, { ttlMs });
      await store.set("shorter", 2, { ttlMs });
      await subject.harness.advance(ttlMs - 1);
      assert.deepEqual(await allKeys(store), ["longer", "shorter"]);
      await subject.harness.advance(1);
      assert.deepEqual(await allKeys(store), []);
    },
  },
  {
    name: "update keeps the time to live",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1, { ttlMs });
      await store.set("stays", 1);
      await subject.harness.advance(ttlMs - 1);
      await store.update("key", () => 2);
      await store.update("stays", () => 2);
      assert.equal(await store.get("key"), 2);
      await subject.harness.advance(1);
      assert.equal(await store.has("key"), false);
      await subject.harness.advance(ttlMs * 10);
      assert.equal(await store.get("stays"), 2);
    },
  },
  {
    name: "update of an expired entry begins anew, without a time to live",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1, { ttlMs });
      await subject.harness.advance(ttlMs);
      assert.equal(await store.update("key", (current) => current ?? "new"), "new");
      await subject.harness.advance(ttlMs * 10);
      assert.equal(await store.get("key"), "new");
    },
  },
  {
    name: "setMany gives all its entries the same time to live",
    needs,
    async run(subject) {
      const store = await subject.store();
      await store.setMany(
        [
          ["a", 1],
          ["b", 2],
        ],
        { ttlMs },
      );
      await subject.harness.advance(ttlMs - 1);
      assert.equal((await store.getMany(["a", "b"])).length, 2);
      await subject.harness.advance(1);
      assert.equal((await store.getMany(["a", "b"])).length, 0);
    },
  },
  {
    name: "expired entries take no place in a page",
    needs,
    async run(subject) {
      const store = await subject.store();
      const keys = Array.from({ length: 40 }, (_, index) => `k${index + 10}`);
      for (const [index, key] of keys.entries()) {
        await store.set(key, 1, index % 4 === 0 ? {} : { ttlMs });
      }
      await subject.harness.advance(ttlMs);
      const living = keys.filter((_, index) => index % 4 === 0);
      assert.deepEqual(await allKeys(store, { limit: 3 }), living);
      const page = await store.scan({ limit: 10 });
      assert.equal(page.entries.length, 10);
      assert.equal(page.next, undefined);
    },
  },
  {
    name: "expired entries are not counted",
    needs,
    async run(subject) {
      const store = await subject.store();
      const rest = Array.from({ length: 20 }, (_, index) => [`k${index}`, 1] as const);
      await store.setMany(rest, { ttlMs });
      await store.set("stays", 1);
      await store.set("again", 1, { ttlMs });
      await store.set("again", 1);
      await subject.harness.advance(ttlMs - 1);
      assert.equal(await store.count(), 22);
      await subject.harness.advance(1);
      assert.equal(await store.count(), 2);
      await store.set("k0", 1);
      assert.equal(await store.count(), 3);
    },
  },
  {
    name: "a time to live is a whole number of milliseconds, at most ten years",
    needs,
    async run(subject) {
      const store = await subject.store();
      for (const bad of [0, -1, 0.5, NaN, Infinity, 400_000_000_000]) {
        await rejectsWith("STATE_OPTION_INVALID", store.set("key", 1, { ttlMs: bad }));
        await rejectsWith("STATE_OPTION_INVALID", store.setMany([["key", 1]], { ttlMs: bad }));
      }
      assert.equal(await store.has("key"), false);
      await store.set("key", 1, { ttlMs: 3650 * 86_400_000 });
      assert.equal(await store.has("key"), true);
    },
  },
];
