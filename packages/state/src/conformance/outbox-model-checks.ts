/** Random histories of an outbox against a model of it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { outboxOf } from "./outbox-checks.ts";
import type { StateCheck, Subject } from "./harness.ts";

const leaseMs = 1000;
const holders = ["a", "b", "c"] as const;

interface ModelRow {
  readonly load: string;
  by: string;
  heldUntilMs: number;
  isAside: boolean;
}

type Step =
  | { readonly kind: "commit"; readonly by: string; readonly rows: number; readonly holds: boolean }
  | { readonly kind: "claim"; readonly by: string; readonly limit: number; readonly done: number }
  | { readonly kind: "aside" | "release"; readonly by: string }
  | { readonly kind: "wait"; readonly ms: number };

const by = fc.constantFrom(...holders);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("commit" as const),
    by,
    rows: fc.integer({ min: 1, max: 3 }),
    holds: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("claim" as const),
    by,
    limit: fc.integer({ min: 1, max: 4 }),
    done: fc.nat(4),
  }),
  fc.record({ kind: fc.constantFrom("aside" as const, "release" as const), by }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(400, 600, 1001) }),
);

/** One history, on an outbox that is empty and is left so. */
class History {
  readonly #subject: Subject;
  readonly #rows: ModelRow[] = [];
  readonly #ids = new Map<string, string>();
  #nowMs = 0;
  #loads = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  async take(each: Step): Promise<void> {
    switch (each.kind) {
      case "commit":
        return this.#commit(each);
      case "claim":
        return this.#claimAndRemove(each);
      case "aside":
        return this.#setAside(each.by);
      case "release":
        for (const row of this.#rows) if (row.by === each.by) row.heldUntilMs = 0;
        return outboxOf(this.#subject).release(each.by);
      case "wait":
        this.#nowMs += each.ms;
        return this.#subject.harness.advance(each.ms);
    }
  }

  /** Everything is there in the end, and nothing else. */
  async end(): Promise<void> {
    const outbox = outboxOf(this.#subject);
    const aside = this.#rows.filter(({ isAside }) => isAside).length;
    const waiting = this.#rows.length - aside;
    assert.deepEqual(await outbox.status(), { waiting, aside });
    for (const holder of holders) await this.take({ kind: "release", by: holder });
    await this.#claim("end", 1000);
    await outbox.remove([...this.#ids.values()]);
    assert.deepEqual(await outbox.status(), { waiting: 0, aside: 0 });
  }

  async #commit({ by: holder, rows, holds }: Step & { readonly kind: "commit" }): Promise<void> {
    const store = await this.#subject.entries({ capabilities: ["transaction", "outbox"] });
    const loads = Array.from({ length: rows }, () => `row ${(this.#loads += 1)}`);
    const outcome = await this.#subject.transact({
      checks: holds ? [] : [{ store, key: "nothing", etag: "never" }],
      riders: [outboxOf(this.#subject).ride(loads, { by: holder, leaseMs })],
    });
    assert.equal(outcome.kind, holds ? "committed" : "conflict");
    const heldUntilMs = this.#nowMs + leaseMs;
    for (const load of holds ? loads : []) {
      this.#rows.push({ load, by: holder, heldUntilMs, isAside: false });
    }
  }

  async #claimAndRemove(claim: Step & { readonly kind: "claim" }): Promise<void> {
    const claimed = await this.#claim(claim.by, claim.limit);
    const done = claimed.slice(0, claim.done);
    await outboxOf(this.#subject).remove(done.map(({ load }) => this.#ids.get(load) ?? ""));
    for (const row of done) {
      this.#rows.splice(this.#rows.indexOf(row), 1);
      this.#ids.delete(row.load);
    }
  }

  async #setAside(holder: string): Promise<void> {
    const [row] = await this.#claim(holder, 1);
    if (row === undefined) return;
    await outboxOf(this.#subject).setAside(this.#ids.get(row.load) ?? "", "for this history");
    row.isAside = true;
  }

  async #claim(holder: string, limit: number): Promise<readonly ModelRow[]> {
    const claimed = await outboxOf(this.#subject).claim({ by: holder, leaseMs, limit });
    const isFree = (row: ModelRow): boolean => row.by === holder || this.#nowMs >= row.heldUntilMs;
    const expected = this.#rows.filter((row) => !row.isAside && isFree(row)).slice(0, limit);
    assert.deepEqual(
      claimed.map(({ load }) => load),
      expected.map(({ load }) => load),
    );
    for (const row of expected) {
      row.by = holder;
      row.heldUntilMs = this.#nowMs + leaseMs;
    }
    for (const { id, load } of claimed) this.#ids.set(load, id);
    return expected;
  }
}

export const outboxModelChecks: readonly StateCheck[] = [
  {
    name: "an outbox does what a list of rows with leases does",
    needs: "relay",
    async run(subject) {
      const { seed, runs } = subject;
      const property = fc.asyncProperty(
        fc.array(step, { maxLength: 25, size: "max" }),
        async (steps) => {
          const history = new History(subject);
          for (const each of steps) await history.take(each);
          await history.end();
        },
      );
      await fc.assert(property, { seed, numRuns: runs });
    },
  },
];
