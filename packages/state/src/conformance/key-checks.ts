/** Keys: which are allowed, which are different, and in what order they come. */

import assert from "node:assert/strict";
import type { StateCheck } from "./harness.ts";
import { allKeys, byBytes, rejectsWith } from "./harness.ts";

const refusedKeys = ["", "x".repeat(513), "é".repeat(257), "a\0", "\0", "\uD800", "a\uDC00b"];
const lookalikes = [
  ["a", "A", "a ", " a", "a\t", "á", "a\u0301"],
  ["é", "e\u0301", "É", "ß", "ss", "ﬁ", "fi"],
  ["1", "01", "1.0", "1e0", "+1"],
  ["%", "_", "*", "?", ".", "[a]", "\\", "'", '"', ";--", "a/b", "a:b", "__proto__"],
].flat();
/** UTF-16 and UTF-8 order differ between these: astral characters and U+E000 … U+FFFF. */
const orderKeys = [
  "\u0001",
  "a",
  "aa",
  "b",
  "é",
  "\uD7FF",
  "\uE000",
  "\uFFFD",
  "\uFFFF",
  "\u{10000}",
  "\u{1F600}",
  "\u{1F600}a",
  "\u{10FFFF}",
  "\uFFFDa",
];

export const keyChecks: readonly StateCheck[] = [
  {
    name: "keys of 1 and of 512 bytes are allowed",
    async run(subject) {
      const store = await subject.store();
      const allowed = ["x", "x".repeat(512), "é".repeat(256), "\u{1F600}".repeat(128), "\u0001"];
      for (const key of allowed) await store.set(key, key);
      for (const key of allowed) assert.equal(await store.get(key), key);
      assert.deepEqual(await allKeys(store), allowed.toSorted(byBytes));
    },
  },
  {
    name: "a key that is empty, too long or no clean Unicode is refused by every method",
    async run(subject) {
      const store = await subject.store();
      const code = "STATE_KEY_INVALID";
      for (const key of refusedKeys) {
        await rejectsWith(code, store.get(key));
        await rejectsWith(code, store.getEntry(key));
        await rejectsWith(code, store.getMany(["ok", key]));
        await rejectsWith(code, store.has(key));
        await rejectsWith(code, store.set(key, 1));
        await rejectsWith(
          code,
          store.setMany([
            ["ok", 1],
            [key, 1],
          ]),
        );
        await rejectsWith(code, store.delete(key));
        await rejectsWith(code, store.deleteMany(["ok", key]));
        await rejectsWith(
          code,
          store.update(key, () => 1),
        );
        if (key !== "") await rejectsWith(code, store.scan({ prefix: key }));
      }
      assert.deepEqual(await allKeys(store), []);
    },
  },
  {
    name: "keys that look alike are different keys",
    async run(subject) {
      const store = await subject.store();
      for (const key of lookalikes) await store.set(key, key, { ifAbsent: true });
      for (const key of lookalikes) assert.equal(await store.get(key), key);
      assert.deepEqual(await allKeys(store), lookalikes.toSorted(byBytes));
      assert.equal(await store.delete("a "), true);
      assert.equal(await store.get("a"), "a");
    },
  },
  {
    name: "a scan comes in the order of the keys' UTF-8 bytes",
    async run(subject) {
      const store = await subject.store();
      for (const key of orderKeys.toReversed()) await store.set(key, 1);
      const expected = orderKeys.toSorted(byBytes);
      assert.deepEqual(await allKeys(store), expected);
      assert.deepEqual(await allKeys(store, { limit: 1 }), expected);
      for (const [index, after] of expected.entries()) {
        const page = await store.scan({ after });
        assert.deepEqual(
          page.entries.map(({ key }) => key),
          expected.slice(index + 1),
        );
      }
    },
  },
  {
    name: "a prefix is literal text",
    async run(subject) {
      const store = await subject.store();
      const keys = [...lookalikes, ...orderKeys, "%x", "_x", "*x", ".x", "[a]x", "\\x", "xx", "x"];
      const all = [...new Set(keys)].toSorted(byBytes);
      for (const key of all) await store.set(key, 1);
      for (const prefix of [...all, "\uFFFF\uFFFF", "no such", "\u{10FFFF}\u{10FFFF}"]) {
        const expected = all.filter((key) => key.startsWith(prefix));
        assert.deepEqual(await allKeys(store, { prefix }), expected, JSON.stringify(prefix));
      }
    },
  },
  {
    name: "pages meet every key once, whatever their size",
    async run(subject) {
      const store = await subject.store();
      const keys = Array.from({ length: 23 }, (_, index) => `key-${index}`).toSorted(byBytes);
      await store.setMany(keys.map((key) => [key, key]));
      for (const limit of [1, 2, 11, 22, 23, 24, 1000]) {
        assert.deepEqual(await allKeys(store, { limit }), keys);
      }
      const page = await store.scan({ limit: 23 });
      assert.equal(page.next, undefined);
      assert.equal((await store.scan({ limit: 22 })).next, keys[21]);
      for (const limit of [0, -1, 1.5, 1001, NaN]) {
        await rejectsWith("STATE_OPTION_INVALID", store.scan({ limit }));
      }
    },
  },
  {
    name: "a scan goes on after a key that is gone, and from outside the prefix",
    async run(subject) {
      const store = await subject.store();
      for (const key of ["a1", "b1", "b2", "b3", "c1"]) await store.set(key, key);
      await store.delete("b2");
      const scan = async (after: string): Promise<string[]> =>
        (await store.scan({ prefix: "b", after })).entries.map(({ key }) => key);
      assert.deepEqual(await scan("b2"), ["b3"]);
      assert.deepEqual(await scan("a"), ["b1", "b3"]);
      assert.deepEqual(await scan("b"), ["b1", "b3"]);
      assert.deepEqual(await scan("b3"), []);
      assert.deepEqual(await scan("c"), []);
    },
  },
  {
    name: "a scan stays right while many keys come and go",
    async run(subject) {
      const store = await subject.store();
      const all = Array.from({ length: 1500 }, (_, index) => `k${(index * 7919) % 1500}`);
      const set = (keys: string[]) => store.setMany(keys.map((key) => [key, 1] as const));
      await set(all.slice(0, 700));
      assert.equal((await allKeys(store)).length, 700);
      await set(all.slice(700, 1500));
      assert.deepEqual(await allKeys(store, { limit: 1000 }), all.toSorted(byBytes));
      await store.deleteMany(all.slice(100, 1100));
      const rest = [...all.slice(0, 100), ...all.slice(1100)].toSorted(byBytes);
      assert.deepEqual(await allKeys(store), rest);
    },
  },
];
