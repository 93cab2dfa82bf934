/** Riders: each is told once how its transaction ended, before the transaction is answered. */

import assert from "node:assert/strict";
import type { CommitRider, EngineStore } from "../engine.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

const needs = "outbox";

/** A rider that carries nothing and notes what it is told. */
function listening(subject: Subject, told: string[], medium?: object): CommitRider {
  return {
    medium: medium ?? subject.engine.medium ?? assert.fail("the engine has no medium"),
    load: undefined,
    committed: () => {
      told.push("committed");
    },
    dropped: () => {
      told.push("dropped");
    },
  };
}

async function open(subject: Subject) {
  const store: EngineStore = await subject.entries({ capabilities: ["transaction", "outbox"] });
  const set = (key: string) => {
    const write = { key, value: 1, version: 1, expiry: "none" } as const;
    return { kind: "set", store, write } as const;
  };
  return { store, set };
}

export const riderChecks: readonly StateCheck[] = [
  {
    name: "riders are told of their commit once, before it is answered",
    needs,
    async run(subject) {
      const { store, set } = await open(subject);
      const told: string[] = [];
      const riders = [listening(subject, told), listening(subject, told)];
      const outcome = await subject.transact({ changes: [set("a")], riders });
      assert.deepEqual([outcome.kind, told], ["committed", ["committed", "committed"]]);
      assert.equal(await store.has("a"), true);
      await subject.transact({ riders: [listening(subject, told)] });
      assert.equal(told.length, 3);
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          subject.transact({ changes: [set(`k${n}`)], riders: [listening(subject, told)] }),
        ),
      );
      assert.deepEqual(
        told,
        Array.from({ length: 23 }, () => "committed"),
      );
    },
  },
  {
    name: "riders of a conflict are dropped once, before it is answered",
    needs,
    async run(subject) {
      const { store, set } = await open(subject);
      const told: string[] = [];
      const checks = [{ store, key: "a", etag: "never" }];
      const riders = [listening(subject, told), listening(subject, told)];
      const outcome = await subject.transact({ checks, changes: [set("b")], riders });
      assert.deepEqual([outcome.kind, told], ["conflict", ["dropped", "dropped"]]);
      const races = Array.from({ length: 10 }, () => {
        const absent = [{ store, key: "c", etag: undefined }];
        const each = [listening(subject, told)];
        return subject.transact({ checks: absent, changes: [set("c")], riders: each });
      });
      const kinds = (await Promise.all(races)).map(({ kind }) => kind);
      assert.equal(kinds.filter((kind) => kind === "committed").length, 1);
      assert.equal(told.filter((each) => each === "committed").length, 1);
      assert.equal(told.length, 12);
    },
  },
  {
    name: "a rider of another medium is refused, and nothing is written",
    needs,
    async run(subject) {
      const { store, set } = await open(subject);
      const told: string[] = [];
      const riders = [listening(subject, told), listening(subject, told, {})];
      const refused = subject.transact({ changes: [set("a")], riders });
      await rejectsWith("STATE_RIDER_FOREIGN", refused);
      assert.deepEqual(told, ["dropped", "dropped"]);
      assert.equal(await store.has("a"), false);
    },
  },
  {
    name: "riders of a transaction that cannot be done are dropped",
    needs,
    async run(subject) {
      const { store, set } = await open(subject);
      const told: string[] = [];
      // The engine never opened this one, though it looks like one of its own.
      const change = { ...set("b"), store: { ...store } };
      const riders = [listening(subject, told)];
      const mixed = subject.transact({ changes: [set("a"), change], riders });
      await rejectsWith("STATE_TRANSACTION_MIXED", mixed);
      assert.deepEqual(told, ["dropped"]);
      await subject.engine.close();
      const closed = subject.transact({ changes: [set("a")], riders: [listening(subject, told)] });
      await rejectsWith("CLOSED", closed);
      assert.deepEqual(told, ["dropped", "dropped"]);
    },
  },
  {
    name: "what was written with a rider is there when the rider is told",
    needs,
    async run(subject) {
      const { store, set } = await open(subject);
      const found: Promise<boolean>[] = [];
      const rider: CommitRider = {
        ...listening(subject, []),
        committed: () => {
          found.push(Promise.resolve(store.has("a")));
        },
      };
      await subject.transact({ changes: [set("a")], riders: [rider] });
      assert.deepEqual(await Promise.all(found), [true]);
    },
  },
];
