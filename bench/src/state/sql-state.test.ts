import assert from "node:assert/strict";
import { test } from "node:test";
import { findReasonToSkip, mariadbPrograms, postgresPrograms } from "@banyan/testbed";
import { mariadbState, postgresState } from "./sql-state.ts";

const groups = [
  [postgresState, await findReasonToSkip(postgresPrograms)],
  [mariadbState, await findReasonToSkip(mariadbPrograms)],
] as const;

for (const [group, skip] of groups) {
  test(`a quick run of ${group.name} measures every case`, { skip }, async () => {
    const run = { quick: true, fromSource: true, only: [], say: () => undefined };
    const cases = await group.run(run);
    assert.equal(cases.length, 6);
    for (const { name, ours, baseline } of cases) {
      assert(ours > 0 && (baseline?.value ?? 0) > 0, name);
    }
  });
}
