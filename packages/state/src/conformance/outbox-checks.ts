/** The outbox: rows committed with transactions, and who may relay them (O1 to O4). */

import assert from "node:assert/strict";
import type { EngineOutbox, OutboxRow } from "../engine.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

const needs = "relay";
const leaseMs = 1000;

export function outboxOf({ engine }: Subject): EngineOutbox {
  return engine.outbox ?? assert.fail("the engine declares a relay and has no outbox");
}

async function open(subject: Subject) {
  const store = await subject.entries({ capabilities: ["transaction", "outbox"] });
  const outbox = outboxOf(subject);
  const told: string[] = [];
  /** A transaction that leaves these rows, held by `by`. */
  const commit = (by: string, ...loads: string[]) => {
    const write = { key: loads.join(), value: 1, version: 1, expiry: "none" } as const;
    const riders = [outbox.ride(loads, { by, leaseMs }, () => told.push(...loads))];
    return subject.transact({ changes: [{ kind: "set", store, write }], riders });
  };
  const claim = async (by: string, limit = 100) => outboxOf(subject).claim({ by, leaseMs, limit });
  return { store, outbox, told, commit, claim };
}

function loads(rows: readonly OutboxRow[]): string[] {
  return rows.map(({ load }) => load);
}

function ids(rows: readonly OutboxRow[]): string[] {
  return rows.map(({ id }) => id);
}

const transactionChecks: readonly StateCheck[] = [
  {
    name: "rows of the outbox are committed with their transaction, in their order",
    needs,
    async run(subject) {
      const { store, outbox, told, commit, claim } = await open(subject);
      const awkward = `{"b":"ü 🌱 \\u0000 ' \\\\ % \\""}`;
      assert.equal((await commit("a", "1", awkward, "3")).kind, "committed");
      await Promise.all(Array.from({ length: 30 }, (_, n) => commit("a", `n${n}`)));
      await subject.transact({ riders: [outbox.ride(["alone"], { by: "a", leaseMs })] });
      const expected = ["1", awkward, "3", ...Array.from({ length: 30 }, (_, n) => `n${n}`)];
      const rows = await claim("a");
      assert.deepEqual(loads(rows), [...expected, "alone"]);
      assert.deepEqual(told, expected);
      assert.equal(new Set(ids(rows)).size, rows.length);
      assert.equal(await store.has("n29"), true);
    },
  },
  {
    name: "a transaction that is not committed leaves nothing in the outbox",
    needs,
    async run(subject) {
      const { store, outbox, commit, claim } = await open(subject);
      const told: string[] = [];
      const ride = (load: string) =>
        outbox.ride([load], { by: "a", leaseMs }, () => told.push(load));
      const checks = [{ store, key: "x", etag: "never" }];
      const conflict = await subject.transact({ checks, riders: [ride("conflict")] });
      assert.equal(conflict.kind, "conflict");
      const foreign = { ...ride("foreign"), medium: {} };
      const refused = subject.transact({ riders: [ride("beside it"), foreign] });
      await rejectsWith("STATE_RIDER_FOREIGN", refused);
      // In one group with others, whose rows are kept.
      const absent = [{ store, key: "race", etag: undefined }];
      const write = { key: "race", value: 1, version: 1, expiry: "none" } as const;
      const races = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          subject.transact({
            checks: absent,
            changes: [{ kind: "set", store, write }],
            riders: [ride(`race ${n}`)],
          }),
        ),
      );
      await commit("a", "last");
      const winner = `race ${races.findIndex(({ kind }) => kind === "committed")}`;
      assert.deepEqual(loads(await claim("a")), [winner, "last"]);
      assert.deepEqual(told, [winner]);
    },
  },
];

const claimChecks: readonly StateCheck[] = [
  {
    name: "what was committed is its process's to relay until the lease is over",
    needs,
    async run(subject) {
      const { commit, claim } = await open(subject);
      await commit("a", "1", "2");
      assert.deepEqual(await claim("b"), []);
      await subject.harness.advance(leaseMs - 1);
      assert.deepEqual(await claim("b"), []);
      await subject.harness.advance(2);
      assert.deepEqual(loads(await claim("b")), ["1", "2"]);
      assert.deepEqual(await claim("a"), []);
    },
  },
  {
    name: "a claim takes the oldest rows, and its holder may claim them again",
    needs,
    async run(subject) {
      const { outbox, commit, claim } = await open(subject);
      for (const load of ["1", "2", "3", "4", "5"]) await commit("a", load);
      const first = await claim("a", 2);
      assert.deepEqual(loads(first), ["1", "2"]);
      assert.deepEqual(await claim("a", 2), first);
      await outbox.remove(ids(first));
      assert.deepEqual(loads(await claim("a", 2)), ["3", "4"]);
      assert.deepEqual(loads(await claim("a", 100)), ["3", "4", "5"]);
    },
  },
  {
    name: "a claim renews the lease, and one that is over ends it",
    needs,
    async run(subject) {
      const { commit, claim } = await open(subject);
      await commit("a", "1");
      for (let times = 0; times < 3; times += 1) {
        await subject.harness.advance(leaseMs - 100);
        assert.deepEqual(loads(await claim("a")), ["1"]);
        assert.deepEqual(await claim("b"), []);
      }
      await subject.harness.advance(leaseMs + 1);
      assert.deepEqual(loads(await claim("b")), ["1"]);
      await subject.harness.advance(leaseMs + 1);
      assert.deepEqual(loads(await claim("a")), ["1"]);
    },
  },
  {
    name: "of claims at one time none share a row",
    needs,
    async run(subject) {
      const { outbox, commit, claim } = await open(subject);
      const all = Array.from({ length: 60 }, (_, n) => `n${n}`);
      await commit("dead", ...all);
      await outbox.release("dead");
      const names = Array.from({ length: 8 }, (_, n) => `node-${n}`);
      const taken: string[] = [];
      for (let rounds = 0; taken.length < all.length && rounds < 50; rounds += 1) {
        const claims = await Promise.all(names.map((by) => claim(by, 5)));
        taken.push(...claims.flatMap(loads));
        // Twice in a row a row would be its holder's again.
        await outbox.remove(claims.flatMap(ids));
      }
      assert.deepEqual(taken.toSorted(), all.toSorted());
    },
  },
  {
    name: "rows that are given back can be claimed at once, removed ones never",
    needs,
    async run(subject) {
      const { outbox, commit, claim } = await open(subject);
      await commit("a", "1", "2");
      await commit("b", "3");
      const [first] = await claim("a");
      await outbox.remove([first?.id ?? ""]);
      await outbox.release("a");
      assert.deepEqual(loads(await claim("c")), ["2"]);
      await subject.harness.advance(leaseMs + 1);
      assert.deepEqual(loads(await claim("d")), ["2", "3"]);
      assert.deepEqual(await outbox.status(), { waiting: 2, aside: 0 });
    },
  },
  {
    name: "a row that is set aside is counted, and out of the way",
    needs,
    async run(subject) {
      const { outbox, commit, claim } = await open(subject);
      await commit("a", "1", "2", "3");
      const rows = await claim("a");
      await outbox.setAside(rows[1]?.id ?? "", `it is broken ${"é".repeat(5000)}`);
      assert.deepEqual(loads(await claim("a")), ["1", "3"]);
      await subject.harness.advance(leaseMs + 1);
      assert.deepEqual(loads(await claim("b")), ["1", "3"]);
      assert.deepEqual(await outbox.status(), { waiting: 2, aside: 1 });
      await outbox.remove(ids(rows));
      assert.deepEqual(await outbox.status(), { waiting: 0, aside: 0 });
    },
  },
];

const idChecks: readonly StateCheck[] = [
  {
    name: "no id of an outbox is used twice, also when no row is left",
    needs,
    async run(subject) {
      const seen = new Set<string>();
      for (let round = 1; round <= 3; round += 1) {
        const { outbox, commit, claim } = await open(subject);
        await commit("a", "1", "2");
        const rows = await claim("a");
        assert.deepEqual(loads(rows), ["1", "2"]);
        for (const id of ids(rows)) seen.add(id);
        await outbox.remove(ids(rows));
        // Whoever relayed it may still remember it as told, and would take a new row for it.
        assert.equal(seen.size, round * 2);
        if (subject.engine.durability === "durable") await subject.restart();
      }
    },
  },
];

const lifeChecks: readonly StateCheck[] = [
  {
    name: "an outbox of a closed engine answers with CLOSED",
    needs,
    async run(subject) {
      const { outbox } = await open(subject);
      await subject.engine.close();
      const asked: readonly (() => unknown)[] = [
        () => outbox.claim({ by: "a", leaseMs, limit: 1 }),
        () => outbox.remove(["1"]),
        () => outbox.release("a"),
        () => outbox.setAside("1", "why"),
        () => outbox.status(),
      ];
      for (const ask of asked) await rejectsWith("CLOSED", Promise.try(ask));
    },
  },
  {
    name: "what waits in an outbox survives a restart with its holder",
    needs: "durable",
    async run(subject) {
      if (!subject.has(needs)) return;
      const { commit, claim } = await open(subject);
      await commit("a", "1", "2", "3");
      await outboxOf(subject).remove(ids(await claim("a", 1)));
      await subject.restart();
      assert.deepEqual(await claim("b"), []);
      assert.deepEqual(loads(await claim("a")), ["2", "3"]);
    },
  },
];

export const outboxChecks: readonly StateCheck[] = [
  ...transactionChecks,
  ...claimChecks,
  ...idChecks,
  ...lifeChecks,
];
