/** One entry: written, read, replaced, removed; and what values survive the way. */

import assert from "node:assert/strict";
import { BanyanError } from "@banyan/kernel";
import type { StateCheck } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

const jsonValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e21,
  5e-324,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_VALUE,
  "",
  " text with spaces ",
  'it\'s "quoted" \\ \n\t and {braces}',
  "é e\u0301 ß 漢 \u{1F600} \uFFFD \uFFFF \u{10FFFF}",
  [],
  [[], {}, [null]],
  {},
  { "": 1, "a.b": 2, $: 3, constructor: 4, "a b": { c: [1, "2", null] } },
];

export const entryChecks: readonly StateCheck[] = [
  {
    name: "what was set is got, with the etag that set returned",
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("key", { count: 1 });
      assert.equal(typeof etag, "string");
      assert.deepEqual(await store.get("key"), { count: 1 });
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: { count: 1 }, etag });
      assert.equal(await store.has("key"), true);
    },
  },
  {
    name: "a key that was never set is not there",
    async run(subject) {
      const store = await subject.store();
      await store.set("other", 1);
      assert.equal(await store.get("key"), undefined);
      assert.equal(await store.getEntry("key"), undefined);
      assert.equal(await store.has("key"), false);
      assert.equal(await store.delete("key"), false);
    },
  },
  {
    name: "a store counts its own entries, each once",
    async run(subject) {
      const store = await subject.store();
      const other = await subject.store({ name: "other" });
      assert.equal(await store.count(), 0);
      await other.set("elsewhere", 1);
      const keys = Array.from({ length: 150 }, (_, index) => `k${index}`);
      await store.setMany(keys.map((key) => [key, 1]));
      await store.set("k0", 2);
      assert.equal(await store.count(), 150);
      await store.delete("k1");
      await store.deleteMany(["k2", "k3", "never"]);
      assert.equal(await store.count(), 147);
      assert.equal(await other.count(), 1);
    },
  },
  {
    name: "a second set replaces the value and the etag",
    async run(subject) {
      const store = await subject.store();
      const first = await store.set("key", { a: 1, b: 2 });
      const second = await store.set("key", { c: 3 });
      assert.notEqual(first, second);
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: { c: 3 }, etag: second });
    },
  },
  {
    name: "delete says whether something was there, and then it is gone",
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1);
      assert.equal(await store.delete("key"), true);
      assert.equal(await store.delete("key"), false);
      assert.equal(await store.get("key"), undefined);
      assert.equal(await store.has("key"), false);
      assert.deepEqual((await store.scan()).entries, []);
    },
  },
  {
    name: "every kind of JSON value comes back equal",
    async run(subject) {
      const store = await subject.store();
      for (const [index, value] of jsonValues.entries()) await store.set(`key-${index}`, value);
      for (const [index, value] of jsonValues.entries()) {
        assert.deepEqual(await store.get(`key-${index}`), value);
      }
    },
  },
  {
    name: "minus zero is zero, as in JSON",
    async run(subject) {
      const store = await subject.store();
      await store.set("key", [-0]);
      const value = await store.get("key");
      assert(Array.isArray(value) && Object.is(value[0], 0), "got -0");
    },
  },
  {
    name: "no object is shared with the store, neither in nor out",
    async run(subject) {
      const store = await subject.store();
      const given = { list: [1], deep: { text: "a" } };
      await store.set("key", given);
      given.list.push(2);
      given.deep.text = "changed";
      const expected = { list: [1], deep: { text: "a" } };
      const readers = [
        () => store.get("key"),
        async () => (await store.getEntry("key"))?.value,
        async () => (await store.getMany(["key"]))[0]?.value,
        async () => (await store.scan()).entries[0]?.value,
        () => store.update("key", (current) => current),
      ];
      for (const read of readers) {
        // Any JSON with this shape: it was set above.
        const got = (await read()) as typeof given;
        assert.deepEqual(got, expected);
        got.list.push(3);
        got.deep.text = "changed";
        assert.deepEqual(await store.get("key"), expected);
      }
    },
  },
  {
    name: "what the engine returned does not change when the key is written again",
    async run(subject) {
      const entries = await subject.entries();
      const write = { key: "key", version: 1, expiry: "none" } as const;
      await entries.set({ ...write, value: { count: 1 } });
      const one = await entries.get("key");
      const [many] = await entries.getMany(["key"]);
      const [scanned] = await entries.scan({ prefix: "", after: undefined, limit: 10 });
      await entries.set({ ...write, value: { count: 2 } });
      for (const entry of [one, many, scanned]) assert.deepEqual(entry?.value, { count: 1 });
      assert.deepEqual((await entries.get("key"))?.value, { count: 2 });
    },
  },
  {
    name: "a value may be as large as the limit, and one byte more is refused",
    async run(subject) {
      const store = await subject.store({ limits: { valueBytesMax: 1000 } });
      await store.set("fits", "é".repeat(499));
      assert.equal(await store.get("fits"), "é".repeat(499));
      await rejectsWith("STATE_VALUE_TOO_LARGE", store.set("fits", `${"é".repeat(499)}x`));
      await rejectsWith("STATE_VALUE_TOO_LARGE", store.set("new", "\u0001".repeat(200)));
      assert.equal(await store.has("new"), false);
      assert.equal(await store.get("fits"), "é".repeat(499));
    },
  },
  {
    name: "a value of one mebibyte goes in and out",
    async run(subject) {
      const store = await subject.store();
      const large = "x".repeat(2 ** 20 - 2);
      await store.set("key", large);
      assert.equal(await store.get("key"), large);
      await rejectsWith("STATE_VALUE_TOO_LARGE", store.set("key", `${large}x`));
    },
  },
  {
    name: "text that engines would not agree on is refused with its place, and nothing is written",
    async run(subject) {
      const store = await subject.store();
      const refused: readonly (readonly [string, unknown])[] = [
        ["/a/0", { a: ["x\0y"] }],
        ["/b", { b: "\uD800" }],
        ["/c~1d", { "c/d": "x\uDC00x" }],
        ["/e\0", { "e\0": 1 }],
      ];
      for (const [pointer, value] of refused) {
        const error: unknown = await store.set("key", value).catch((caught: unknown) => caught);
        assert(error instanceof BanyanError && error.code === "STATE_VALUE_INVALID");
        const issues = error.details?.["issues"];
        assert(Array.isArray(issues), "the error has no issues");
        // Issues are made by us: each has its pointer.
        assert.equal((issues[0] as { pointer: string }).pointer, pointer);
      }
      assert.equal(await store.has("key"), false);
    },
  },
];
