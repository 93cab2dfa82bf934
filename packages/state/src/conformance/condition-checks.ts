/** Conditional writes, etags, and updates that race. */

import assert from "node:assert/strict";
import type { StateCheck } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

const count = (current: unknown): number => (typeof current === "number" ? current : 0);
const increment = (current: unknown): number => count(current) + 1;
const conflict = "STATE_VERSION_CONFLICT";

export const conditionChecks: readonly StateCheck[] = [
  {
    name: "ifAbsent writes once; the second conflicts and changes nothing",
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("key", 1, { ifAbsent: true });
      await rejectsWith(conflict, store.set("key", 2, { ifAbsent: true }));
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: 1, etag });
      await store.delete("key");
      await store.set("key", 3, { ifAbsent: true });
      assert.equal(await store.get("key"), 3);
    },
  },
  {
    name: "ifMatch writes over the etag it names and over no other",
    async run(subject) {
      const store = await subject.store();
      const first = await store.set("key", 1);
      const second = await store.set("key", 2, { ifMatch: first });
      for (const ifMatch of [first, "", "0", "*", `${second} `, second.toUpperCase() + "x"]) {
        await rejectsWith(conflict, store.set("key", 3, { ifMatch }));
      }
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: 2, etag: second });
    },
  },
  {
    name: "ifMatch on a key that is not there is a conflict, for set and delete",
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("other", 1);
      await rejectsWith(conflict, store.set("key", 1, { ifMatch: etag }));
      await rejectsWith(conflict, store.delete("key", { ifMatch: etag }));
      assert.equal(await store.has("key"), false);
    },
  },
  {
    name: "delete with ifMatch removes only what it names",
    async run(subject) {
      const store = await subject.store();
      const first = await store.set("key", 1);
      const second = await store.set("key", 2);
      await rejectsWith(conflict, store.delete("key", { ifMatch: first }));
      assert.equal(await store.get("key"), 2);
      assert.equal(await store.delete("key", { ifMatch: second }), true);
      assert.equal(await store.has("key"), false);
    },
  },
  {
    name: "every write gets an etag that no write had before",
    async run(subject) {
      const store = await subject.store();
      const etags: string[] = [];
      for (let round = 0; round < 20; round += 1) {
        etags.push(await store.set("same", "same"), await store.set("other", "same"));
        etags.push(
          ...(await store.setMany([
            ["same", "same"],
            ["third", "same"],
          ])),
        );
        await store.update("same", (current) => current);
        etags.push((await store.getEntry("same"))?.etag ?? "");
        await store.delete("same");
      }
      assert.equal(new Set(etags).size, etags.length);
    },
  },
  {
    name: "an etag from before a delete does not match what was created after it",
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("key", 1);
      await store.delete("key");
      await store.set("key", 1);
      await rejectsWith(conflict, store.set("key", 2, { ifMatch: etag }));
      await rejectsWith(conflict, store.delete("key", { ifMatch: etag }));
    },
  },
  {
    name: "both conditions at once are refused",
    async run(subject) {
      const store = await subject.store();
      const both = store.set("key", 1, { ifMatch: "x", ifAbsent: true });
      await rejectsWith("STATE_OPTION_INVALID", both);
    },
  },
  {
    name: "of many that race with one condition exactly one wins",
    async run(subject) {
      const views = [await subject.store(), await subject.store()];
      const race = async (write: (index: number) => Promise<unknown>): Promise<number> => {
        const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => write(i)));
        return outcomes.filter(({ status }) => status === "fulfilled").length;
      };
      const view = (index: number) => views[index % 2] ?? assert.fail("there are two views");
      assert.equal(await race((i) => view(i).set("key", i, { ifAbsent: true })), 1);
      const { etag } = (await view(0).getEntry("key")) ?? assert.fail("one has won");
      assert.equal(await race((i) => view(i).set("key", i, { ifMatch: etag })), 1);
      const now = (await view(0).getEntry("key"))?.etag ?? "";
      assert.equal(await race((i) => view(i).delete("key", { ifMatch: now })), 1);
    },
  },
  {
    name: "update creates, changes, and returns what it wrote",
    async run(subject) {
      const store = await subject.store();
      const seen: unknown[] = [];
      const change = (current: unknown): number => {
        seen.push(current);
        return increment(current);
      };
      assert.equal(await store.update("key", change), 1);
      assert.equal(await store.update("key", change), 2);
      assert.equal(await store.get("key"), 2);
      assert.deepEqual(seen, [undefined, 1]);
    },
  },
  {
    name: "a hundred updates at once make a hundred",
    async run(subject) {
      const store = await subject.store();
      await Promise.all(Array.from({ length: 100 }, () => store.update("key", increment)));
      assert.equal(await store.get("key"), 100);
    },
  },
  {
    name: "updates through two views of one store lose nothing",
    async run(subject) {
      const views = [await subject.store(), await subject.store()];
      const all = views.flatMap((view) =>
        Array.from({ length: 10 }, () => view.update("key", increment)),
      );
      await Promise.all(all);
      assert.equal(await views[0]?.get("key"), 20);
    },
  },
  {
    name: "a change that throws writes nothing, and the store goes on",
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1);
      const failed = store.update("key", () => {
        throw new RangeError("not today");
      });
      await assert.rejects(failed, RangeError);
      assert.equal(await store.get("key"), 1);
      assert.equal(await store.update("key", increment), 2);
    },
  },
  {
    name: "a change may use the store itself",
    async run(subject) {
      const store = await subject.store();
      const inner: Promise<unknown>[] = [];
      await store.update("key", (current) => {
        if (inner.length === 0) inner.push(store.update("key", increment), store.set("b", 1));
        return increment(current);
      });
      await Promise.all(inner);
      assert.equal(await store.get("key"), 2);
      assert.equal(await store.get("b"), 1);
    },
  },
  {
    name: "a change that is asynchronous is refused, and nothing is written",
    async run(subject) {
      const store = await subject.store();
      await rejectsWith(
        "STATE_VALUE_INVALID",
        store.update("key", () => Promise.resolve(1)),
      );
      assert.equal(await store.has("key"), false);
    },
  },
];
