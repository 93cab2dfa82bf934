import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { lockChecks, runLockChecks } from "../conformance.ts";
import type { LockSuite } from "../conformance.ts";
import { lockLiars } from "../liars.ts";
import type { LockLiar } from "../liars.ts";

function suiteOf({ name, open, openLocks }: LockLiar): LockSuite {
  return {
    name,
    openLocks,
    open: () => {
      const clock = new FakeClock();
      const engine = open(clock);
      const advance = (ms: number) => clock.advance(ms);
      return Promise.resolve({ engine, advance, close: () => engine.close() });
    },
  };
}

for (const liar of lockLiars) {
  test(`the law of locks catches one that ${liar.lie}`, async () => {
    const check = lockChecks.find(({ name }) => name === liar.caughtBy);
    assert(check !== undefined, `there is no check "${liar.caughtBy}"`);
    const [result] = await runLockChecks(suiteOf(liar), [check]);
    assert.equal(result?.kind, "broken", `"${liar.caughtBy}" held`);
    assert(result.error instanceof assert.AssertionError, String(result.error));
  });
}

test("random histories find by themselves what the named checks look for", async () => {
  const history = lockChecks.filter(({ name }) => name.startsWith("any history"));
  const found = ["has no fence", "gives back another's", "renews what is lost", "has one token"];
  for (const liar of lockLiars.filter(({ name }) => found.includes(name))) {
    const suite = { ...suiteOf(liar), runs: 300, seed: 1 };
    const [result] = await runLockChecks(suite, history);
    assert.equal(result?.kind, "broken", `no history found the one that ${liar.name}`);
  }
});

test("every check of the law of locks has a name of its own, and so has every liar", () => {
  assert.equal(new Set(lockChecks.map(({ name }) => name)).size, lockChecks.length);
  assert.equal(new Set(lockLiars.map(({ name }) => name)).size, lockLiars.length);
});
