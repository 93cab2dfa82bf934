import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { runStateChecks, stateChecks } from "./conformance.ts";
import type { StateSuite } from "./conformance.ts";
import { openMemoryEngine } from "./memory.ts";

function suite(changes: Partial<StateSuite> = {}): StateSuite {
  return {
    name: "memory",
    capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
    runs: 5,
    open: () => {
      const clock = new FakeClock();
      const engine = openMemoryEngine({ clock });
      const advance = (ms: number) => clock.advance(ms);
      return Promise.resolve({ engine, advance, close: () => engine.close() });
    },
    ...changes,
  };
}

test("the law runs without a test runner, and every check has a name of its own", async () => {
  const results = await runStateChecks(suite());
  assert.equal(new Set(stateChecks.map(({ name }) => name)).size, stateChecks.length);
  assert.equal(results.length, stateChecks.length);
  for (const result of results) {
    assert.notEqual(result.kind, "broken", result.name);
    if (result.kind === "skipped") assert.equal(result.reason, "memory is ephemeral");
  }
});

test("an engine that declares other capabilities than promised breaks every check", async () => {
  const results = await runStateChecks(suite({ capabilities: [] }));
  assert(results.every(({ kind }) => kind === "broken"));
});

test("a skip needs a reason and the name of a check", async () => {
  const [check] = stateChecks;
  assert(check !== undefined);
  const skips = { [check.name]: "for this test" };
  const [result] = await runStateChecks(suite({ skips }), [check]);
  assert.deepEqual(result, { name: check.name, kind: "skipped", reason: "for this test" });
  await assert.rejects(runStateChecks(suite({ skips: { "no such check": "x" } })), /no check/);
  await assert.rejects(runStateChecks(suite({ skips: { [check.name]: "" } })), /reason/);
});
