import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { runStateChecks, stateChecks } from "./conformance.ts";
import type { StateSuite } from "./conformance.ts";
import { stateLiars } from "./liars.ts";
import type { StateLiar } from "./liars.ts";

function suiteOf(liar: StateLiar): StateSuite {
  return {
    name: liar.name,
    capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
    open: () => {
      const clock = new FakeClock();
      const engine = liar.open(clock);
      return Promise.resolve({
        engine,
        advance: (ms) => clock.advance(ms),
        restart: () => Promise.resolve((liar.reopen ?? liar.open)(clock)),
        close: () => engine.close(),
      });
    },
  };
}

for (const liar of stateLiars) {
  test(`the law catches an engine that ${liar.lie}`, async () => {
    const check = stateChecks.find(({ name }) => name === liar.caughtBy);
    assert(check !== undefined, `there is no check "${liar.caughtBy}"`);
    const [result] = await runStateChecks(suiteOf(liar), [check]);
    assert.equal(result?.kind, "broken", `"${liar.caughtBy}" held`);
  });
}

test("a liar is caught by the check that is named, and there are enough of them", () => {
  assert(stateLiars.length >= 72);
  assert.equal(new Set(stateLiars.map(({ name }) => name)).size, stateLiars.length);
});
