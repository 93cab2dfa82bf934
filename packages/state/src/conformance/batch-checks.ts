/** Batches: order, counts, limits, and all or none. */

import assert from "node:assert/strict";
import type { Entry } from "@banyan/kernel";
import type { StateCheck } from "./harness.ts";
import { readDuring, rejectsWith } from "./harness.ts";

const keysOf = (length: number): string[] => Array.from({ length }, (_, index) => `k${index}`);

export const batchChecks: readonly StateCheck[] = [
  {
    name: "getMany returns what was found, in the order asked",
    async run(subject) {
      const store = await subject.store();
      const etags = await store.setMany([
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]);
      assert.deepEqual(await store.getMany(["c", "missing", "a", "c"]), [
        { key: "c", value: 3, etag: etags[2] },
        { key: "a", value: 1, etag: etags[0] },
        { key: "c", value: 3, etag: etags[2] },
      ]);
      assert.deepEqual(await store.getMany([]), []);
      assert.deepEqual(await store.getMany(["missing"]), []);
    },
  },
  {
    name: "setMany creates and replaces, each entry with its own etag",
    async run(subject) {
      const store = await subject.store();
      const old = await store.set("b", "old");
      const etags = await store.setMany([
        ["b", 1],
        ["a", 2],
      ]);
      assert.equal(etags.length, 2);
      assert.equal(new Set([...etags, old]).size, 3);
      assert.deepEqual(await store.getEntry("b"), { key: "b", value: 1, etag: etags[0] });
      assert.deepEqual(await store.getEntry("a"), { key: "a", value: 2, etag: etags[1] });
      assert.deepEqual(await store.setMany([]), []);
    },
  },
  {
    name: "a batch with one bad value writes nothing",
    async run(subject) {
      const store = await subject.store();
      await store.set("a", "old");
      const batch = store.setMany([
        ["a", 1],
        ["b", 2],
        ["c", "\0"],
      ]);
      await rejectsWith("STATE_VALUE_INVALID", batch);
      assert.equal(await store.get("a"), "old");
      assert.equal(await store.has("b"), false);
    },
  },
  {
    name: "nobody sees half a batch",
    async run(subject) {
      const store = await subject.store();
      const keys = keysOf(50);
      const write = (value: number) => store.setMany(keys.map((key) => [key, value] as const));
      await write(0);
      const readWhile = (work: Promise<unknown>): Promise<Entry<unknown>[][]> =>
        readDuring(work, () => store.getMany(keys));
      for (let round = 1; round <= 5; round += 1) {
        for (const found of await readWhile(write(round))) {
          assert.equal(found.length, keys.length);
          assert.equal(new Set(found.map(({ value }) => value)).size, 1, "half a batch was seen");
        }
        for (const { length } of await readWhile(store.deleteMany(keys.slice(0, 25)))) {
          assert(length === 50 || length === 25, `${length} of 25 or 50 were seen`);
        }
        await write(round);
      }
    },
  },
  {
    name: "deleteMany counts what was there, each key once",
    async run(subject) {
      const store = await subject.store();
      await store.setMany([
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]);
      assert.equal(await store.deleteMany(["a", "missing", "b", "a"]), 2);
      assert.equal(await store.deleteMany(["a", "b"]), 0);
      assert.equal(await store.deleteMany([]), 0);
      assert.deepEqual(
        (await store.scan()).entries.map(({ key }) => key),
        ["c"],
      );
    },
  },
  {
    name: "a batch takes a thousand keys and no more",
    async run(subject) {
      const store = await subject.store();
      const keys = keysOf(1001);
      const thousand = keys.slice(0, 1000);
      const etags = await store.setMany(thousand.map((key) => [key, 1] as const));
      assert.equal(new Set(etags).size, 1000);
      assert.equal((await store.getMany(thousand)).length, 1000);
      const code = "STATE_BATCH_INVALID";
      await rejectsWith(code, store.setMany(keys.map((key) => [key, 2] as const)));
      await rejectsWith(code, store.getMany(keys));
      await rejectsWith(code, store.deleteMany(keys));
      assert.equal(await store.get("k0"), 1);
      assert.equal(await store.deleteMany(thousand), 1000);
    },
  },
  {
    name: "a batch that writes a key twice is refused",
    async run(subject) {
      const store = await subject.store();
      const twice = store.setMany([
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]);
      await rejectsWith("STATE_BATCH_INVALID", twice);
      assert.equal(await store.has("b"), false);
    },
  },
];
