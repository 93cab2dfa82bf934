/** What survives closing and opening again. (`kill -9` is tested beside each durable engine.) */

import assert from "node:assert/strict";
import type { StateCheck } from "./harness.ts";
import { allKeys, rejectsWith } from "./harness.ts";

const needs = "durable";

export const durableChecks: readonly StateCheck[] = [
  {
    name: "values, etags and deletions survive a restart",
    needs,
    async run(subject) {
      const before = await subject.store();
      await before.setMany([
        ["a", { n: 1 }],
        ["b", "é \u{1F600}"],
        ["c", null],
        ["d", 4],
      ]);
      await before.delete("d");
      const entries = (await before.scan()).entries;
      await subject.restart();
      const after = await subject.store();
      assert.deepEqual((await after.scan()).entries, entries);
      assert.deepEqual(await allKeys(await subject.store({ name: "other" })), []);
      const [first] = entries;
      await after.set("a", 2, { ifMatch: first?.etag });
      assert.equal(await after.get("a"), 2);
    },
  },
  {
    name: "no etag from before a restart is used after it",
    needs,
    async run(subject) {
      const etags: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const store = await subject.store();
        for (let write = 0; write < 5; write += 1) etags.push(await store.set("key", write));
        await store.delete("key");
        await subject.restart();
      }
      assert.equal(new Set(etags).size, etags.length);
      const store = await subject.store();
      await store.set("key", 1);
      for (const ifMatch of etags) {
        await rejectsWith("STATE_VERSION_CONFLICT", store.set("key", 2, { ifMatch }));
      }
    },
  },
  {
    name: "the schema version of a value survives a restart",
    needs,
    async run(subject) {
      await (await subject.store({ version: 2 })).set("key", 1);
      await subject.restart();
      assert.equal(await (await subject.store({ version: 2 })).get("key"), 1);
      await rejectsWith("STATE_VALUE_NEWER", (await subject.store()).get("key"));
    },
  },
  {
    name: "a time to live survives a restart",
    needs,
    async run(subject) {
      if (!subject.expires) return;
      const before = await subject.store();
      await before.set("short", 1, { ttlMs: 1000 });
      await before.set("long", 1, { ttlMs: 3000 });
      await before.set("stays", 1);
      await subject.harness.advance(500);
      await subject.restart();
      const after = await subject.store();
      await subject.harness.advance(499);
      assert.deepEqual(await allKeys(after), ["long", "short", "stays"]);
      await subject.harness.advance(1);
      assert.deepEqual(await allKeys(after), ["long", "stays"]);
      await subject.harness.advance(1000);
      await subject.restart();
      await subject.harness.advance(1000);
      assert.deepEqual(await allKeys(await subject.store()), ["stays"]);
    },
  },
];
