/** Writes with an `operationId`: done once, and answered the same again. */

import assert from "node:assert/strict";
import type { Store } from "@banyan/kernel";
import type { EngineWrite } from "../engine.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { allKeys, rejectsWith } from "./harness.ts";

const needs = "transaction";
const capabilities = ["transaction"];
const increment = (current: unknown): number => (typeof current === "number" ? current : 0) + 1;

/** Each kind of write under an id of its own; asked again it answers the same. */
function writesOf(store: Store<unknown>): readonly (() => Promise<unknown>)[] {
  return [
    () => store.set("set", 1, { operationId: "set" }),
    () => store.set("made", 1, { operationId: "made", ifAbsent: true }),
    () =>
      store.setMany(
        [
          ["one", 1],
          ["two", { n: 2 }],
        ],
        { operationId: "setMany" },
      ),
    () => store.delete("there", { operationId: "delete" }),
    () => store.delete("missing", { operationId: "delete-nothing" }),
    () => store.deleteMany(["gone", "lost", "missing"], { operationId: "deleteMany" }),
    () => store.update("count", increment, { operationId: "update" }),
  ];
}

async function answersOf(store: Store<unknown>): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const write of writesOf(store)) answers.push(await write());
  return answers;
}

async function entriesOf(store: Store<unknown>): Promise<unknown> {
  return (await store.scan({ limit: 1000 })).entries;
}

/** With some entries for the deletes to find. */
async function open(subject: Subject): Promise<Store<unknown>> {
  const store = await subject.store();
  await store.setMany(["there", "gone", "lost", "count"].map((key) => [key, 0] as const));
  return store;
}

export const operationChecks: readonly StateCheck[] = [
  {
    name: "an entry has the etag that its write brought",
    needs,
    async run(subject) {
      const entries = await subject.entries({ capabilities });
      const write = (key: string, etag?: string): EngineWrite => {
        return { key, value: 1, version: 1, expiry: "none", ...(etag !== undefined && { etag }) };
      };
      const single = await entries.set(write("a", "brought.1"));
      assert.deepEqual(single, { kind: "written", etag: "brought.1" });
      assert.deepEqual(
        (await entries.setMany([write("b", "brought.2"), write("c")]))[0],
        "brought.2",
      );
      const changes = ["brought.3", undefined].map((etag, at) => {
        return { kind: "set", store: entries, write: write(`t${at}`, etag) } as const;
      });
      await subject.transact({ changes });
      const found = await entries.getMany(["a", "b", "c", "t0", "t1"]);
      const etags = found.map((entry) => entry?.etag);
      assert.deepEqual([etags[0], etags[1], etags[3]], ["brought.1", "brought.2", "brought.3"]);
      assert.equal(new Set(etags).size, 5);
      const held = { ifMatch: "brought.3" };
      assert.equal((await entries.set(write("t0"), held)).kind, "written");
      assert.equal((await entries.set(write("t0"), held)).kind, "conflict");
    },
  },
  {
    name: "a write with an operationId is done once, and asking again answers the same",
    needs,
    async run(subject) {
      const store = await open(subject);
      const answers = await answersOf(store);
      const stored = await store.getMany(["set", "made", "one", "two"]);
      const [set, made, one, two] = stored.map(({ etag }) => etag);
      assert.deepEqual(answers.slice(0, 3), [set, made, [one, two]]);
      assert.deepEqual(answers.slice(3), [true, false, 2, 1]);
      const left = await entriesOf(store);
      for (let again = 0; again < 2; again += 1) {
        assert.deepEqual(await answersOf(store), answers);
        assert.deepEqual(await entriesOf(store), left);
      }
    },
  },
  {
    name: "asking again answers the same after others wrote the same keys, also elsewhere",
    needs,
    async run(subject) {
      const store = await open(subject);
      const answers = await answersOf(store);
      const other = await subject.store();
      const keys = ["set", "made", "one", "two", "there", "missing", "gone", "lost", "count"];
      await other.setMany(keys.map((key) => [key, "later"] as const));
      await other.delete("one");
      const left = await entriesOf(store);
      assert.deepEqual(await answersOf(other), answers);
      assert.deepEqual(await answersOf(store), answers);
      assert.deepEqual(await entriesOf(store), left);
    },
  },
  {
    name: "writes that ask at once with one operationId take effect once",
    needs,
    async run(subject) {
      const [one, two] = [await subject.store(), await subject.store({ capabilities })];
      for (let round = 0; round < 5; round += 1) {
        const operationId = `round-${round}`;
        const asks = Array.from({ length: 12 }, async (_, n) => {
          // In other turns of the event loop too, so that they meet at every step.
          for (let turn = 0; turn < n % 4; turn += 1) await nextTurn();
          return (n % 2 === 0 ? one : two).update("count", increment, { operationId });
        });
        assert.deepEqual(new Set(await Promise.all(asks)), new Set([round + 1]));
        const sets = Array.from({ length: 6 }, (_, n) =>
          (n % 2 === 0 ? one : two).set(`set${round}`, 1, { operationId: `set-${round}` }),
        );
        const etags = new Set(await Promise.all(sets));
        assert.deepEqual([...etags], [(await one.getEntry(`set${round}`))?.etag]);
      }
    },
  },
  {
    name: "another write under a used operationId is refused, and nothing is written",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const other = await subject.store({ name: "other" });
      const transact = subject.transactor({ store });
      const operationId = "once~!";
      const etag = await store.set("a", { x: 1, y: 2 }, { operationId });
      // The order of properties is no part of a value.
      assert.equal(await store.set("a", { y: 2, x: 1 }, { operationId }), etag);
      const left = await entriesOf(store);
      const others = [
        () => store.set("a", { x: 1, y: 3 }, { operationId }),
        () => store.set("b", { x: 1, y: 2 }, { operationId }),
        () => store.set("a", { x: 1, y: 2 }, { operationId, ifAbsent: true }),
        () => store.set("a", { x: 1, y: 2 }, { operationId, ifMatch: etag }),
        () => store.setMany([["a", { x: 1, y: 2 }]], { operationId }),
        () => store.delete("a", { operationId }),
        () => store.deleteMany(["a"], { operationId }),
        () => store.update("a", increment, { operationId }),
        () => other.set("a", { x: 1, y: 2 }, { operationId }),
        () => transact(({ stores }) => stores.store.set("a", 1), { operationId }),
      ];
      for (const write of others) await rejectsWith("STATE_OPERATION_MISMATCH", write());
      assert.deepEqual(await entriesOf(store), left);
      assert.deepEqual(await allKeys(other), []);
      // Another scope has ids of its own.
      const elsewhere = await subject.store({ scope: "elsewhere" });
      await elsewhere.set("a", 1, { operationId });
      assert.equal(await elsewhere.get("a"), 1);
    },
  },
  {
    name: "a transaction for another request under a used operationId is refused",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const transact = subject.transactor({ store });
      const set = (value: number, request?: unknown): Promise<void> =>
        transact(({ stores }) => stores.store.set("a", value), { operationId: "one", request });
      await set(1, { sold: "a" });
      await set(2, { sold: "a" });
      await rejectsWith("STATE_OPERATION_MISMATCH", set(3, { sold: "b" }));
      await rejectsWith("STATE_OPERATION_MISMATCH", set(4));
      assert.equal(await store.get("a"), 1);
    },
  },
  {
    name: "a conflict of a write with an operationId is not recorded, and may be decided anew",
    needs,
    async run(subject) {
      const store = await subject.store();
      const first = await store.set("a", 1);
      const made = () => store.set("a", 2, { operationId: "made", ifAbsent: true });
      const stale = { operationId: "stale", ifMatch: `${first}0` };
      await rejectsWith("STATE_VERSION_CONFLICT", made());
      await rejectsWith("STATE_VERSION_CONFLICT", store.set("a", 2, stale));
      await rejectsWith("STATE_VERSION_CONFLICT", store.delete("a", stale));
      await rejectsWith("STATE_VERSION_CONFLICT", store.delete("b", stale));
      assert.deepEqual(await entriesOf(store), [{ key: "a", value: 1, etag: first }]);
      assert.equal(await store.delete("a", { operationId: "stale", ifMatch: first }), true);
      const etag = await made();
      assert.equal(await made(), etag);
      assert.equal(await store.delete("a", { operationId: "stale", ifMatch: first }), true);
      assert.deepEqual(await entriesOf(store), [{ key: "a", value: 2, etag }]);
      const failed = store.update("a", () => assert.fail("no"), { operationId: "thrown" });
      await assert.rejects(failed, assert.AssertionError);
      assert.equal(await store.update("a", increment, { operationId: "thrown" }), 3);
    },
  },
  {
    name: "a transaction with an operationId is run once, and asking again answers what it answered",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const transact = subject.transactor({ store });
      let runs = 0;
      const transfer = () =>
        transact(
          async ({ stores }) => {
            runs += 1;
            await stores.store.update("from", (from) => Number(from ?? 10) - 1);
            return { to: await stores.store.update("to", increment), left: undefined };
          },
          { operationId: "transfer" },
        );
      const answer = await transfer();
      await store.set("to", 100);
      assert.deepEqual([answer, await transfer(), runs], [{ to: 1 }, { to: 1 }, 1]);
      assert.deepEqual([await store.get("from"), await store.get("to")], [9, 100]);
      const nothing = () =>
        transact(({ stores }) => stores.store.set("b", 1), { operationId: "nothing" });
      await nothing();
      await store.delete("b");
      assert.deepEqual([await nothing(), await store.has("b")], [undefined, false]);
      const thrown = () =>
        transact(
          async ({ stores }) => {
            if (await stores.store.has("to")) throw new RangeError("not today");
            stores.store.set("late", 1);
          },
          { operationId: "thrown" },
        );
      await assert.rejects(thrown(), RangeError);
      await store.delete("to");
      await thrown();
      assert.equal(await store.has("late"), true);
    },
  },
  {
    name: "an answer that cannot be recorded is refused, and its transaction writes nothing",
    needs,
    async run(subject) {
      const store = await subject.store({ capabilities });
      const transact = subject.transactor({ store });
      const circle: unknown[] = [];
      circle.push(circle);
      const unfit = [new Date(0), new Map(), () => 1, Number.NaN, "\0", 1n, circle];
      for (const [at, answer] of [...unfit, "x".repeat(70_000)].entries()) {
        const work = transact(
          ({ stores }) => {
            stores.store.set("a", at);
            return answer;
          },
          { operationId: `answer-${at}` },
        );
        const code = at < unfit.length ? "STATE_VALUE_INVALID" : "STATE_VALUE_TOO_LARGE";
        await rejectsWith(code, work);
      }
      assert.equal(await store.has("a"), false);
    },
  },
  {
    name: "an operation is remembered for its time and no longer",
    needs,
    async run(subject) {
      if (!subject.expires) return;
      const store = await subject.store({ limits: { operationKeptMs: 1000 } });
      const add = () => store.update("count", increment, { operationId: "add" });
      assert.equal(await add(), 1);
      await subject.harness.advance(999);
      assert.equal(await add(), 1);
      await subject.harness.advance(1);
      assert.deepEqual([await add(), await add()], [2, 2]);
    },
  },
  {
    name: "a batch of a thousand takes an operationId, and so does one of nothing",
    needs,
    async run(subject) {
      const store = await subject.store();
      const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
      const write = () =>
        store.setMany(
          keys.map((key) => [key, key] as const),
          { operationId: "w" },
        );
      const etags = await write();
      assert.equal(new Set(etags).size, 1000);
      assert.deepEqual(await write(), etags);
      const remove = () => store.deleteMany(keys, { operationId: "d" });
      assert.deepEqual(
        [await remove(), await remove(), await store.has("k0")],
        [1000, 1000, false],
      );
      for (let again = 0; again < 2; again += 1) {
        assert.deepEqual(await store.setMany([], { operationId: "no-writes" }), []);
        assert.equal(await store.deleteMany([], { operationId: "no-deletes" }), 0);
      }
    },
  },
  {
    name: "an operationId that is none is refused by name",
    needs,
    async run(subject) {
      const store = await subject.store();
      for (const operationId of ["", "a b", "ä", "x".repeat(129), "a\n", "\x7f"]) {
        await rejectsWith("STATE_OPERATION_INVALID", store.set("a", 1, { operationId }));
        await rejectsWith("STATE_OPERATION_INVALID", store.setMany([], { operationId }));
        await rejectsWith("STATE_OPERATION_INVALID", store.delete("a", { operationId }));
        await rejectsWith("STATE_OPERATION_INVALID", store.deleteMany(["a"], { operationId }));
        await rejectsWith("STATE_OPERATION_INVALID", store.update("a", increment, { operationId }));
      }
      assert.deepEqual(await allKeys(store), []);
      assert.equal(await store.update("a", increment, { operationId: "x".repeat(128) }), 1);
    },
  },
  {
    name: "operations are remembered over a restart",
    needs,
    async run(subject) {
      if (subject.engine.durability !== "durable") return;
      const answers = await answersOf(await open(subject));
      const left = await entriesOf(await subject.store());
      await subject.restart();
      const store = await subject.store();
      assert.deepEqual(await answersOf(store), answers);
      assert.deepEqual(await entriesOf(store), left);
      await rejectsWith("STATE_OPERATION_MISMATCH", store.set("set", 2, { operationId: "set" }));
    },
  },
];

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
