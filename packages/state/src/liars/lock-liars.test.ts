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

test("every check of the law of locks has a name of its own, and so has every liar", () => {
  assert.equal(new Set(lockChecks.map(({ name }) => name)).size, lockChecks.length);
  assert.equal(new Set(lockLiars.map(({ name }) => name)).size, lockLiars.length);
});
