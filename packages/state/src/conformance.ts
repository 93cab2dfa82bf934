/**
 * The law of state engines, for everybody who makes one.
 *
 * `describeStateEngine` registers it with `node:test`; `runStateChecks` runs the same list without
 * a test runner. Needs `fast-check` (an optional peer of this package) for the random histories.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "@banyan/kernel";
import { batchChecks } from "./conformance/batch-checks.ts";
import { conditionChecks } from "./conformance/condition-checks.ts";
import { durableChecks } from "./conformance/durable-checks.ts";
import { engineChecks } from "./conformance/engine-checks.ts";
import { entryChecks } from "./conformance/entry-checks.ts";
import { expiryChecks } from "./conformance/expiry-checks.ts";
import { Subject } from "./conformance/harness.ts";
import type { StateCheck, StateHarness, StateSuite } from "./conformance/harness.ts";
import { keyChecks } from "./conformance/key-checks.ts";
import { modelChecks } from "./conformance/model-checks.ts";
import { operationChecks } from "./conformance/operation-checks.ts";
import { orderChecks } from "./conformance/order-checks.ts";
import { outboxChecks } from "./conformance/outbox-checks.ts";
import { outboxModelChecks } from "./conformance/outbox-model-checks.ts";
import { revisionChecks } from "./conformance/revision-checks.ts";
import { riderChecks } from "./conformance/rider-checks.ts";
import { scopeChecks } from "./conformance/scope-checks.ts";
import { transactionChecks } from "./conformance/transaction-checks.ts";

export type { StateCheck, StateHarness, StateSuite } from "./conformance/harness.ts";
export type { Subject, SubjectStore } from "./conformance/harness.ts";

export { describeLocks, lockChecks, runLockChecks } from "./conformance/lock-law.ts";
export type { LockCheckResult } from "./conformance/lock-law.ts";
export type { LockCheck, LockMaker, LockSuite } from "./conformance/lock/lock-subject.ts";

export { describeLostReplies } from "./conformance/lost-replies.ts";
export type { LossyProxy, LostReplySuite } from "./conformance/lost-replies.ts";
export { surviveKills, writeUntilKilled } from "./table/crash-law.ts";
export type { CrashChild, CrashSuite } from "./table/crash-law.ts";
export { describeTableFaults } from "./table/fault-law.ts";
export type { FaultProxy, FaultServer, FaultSuite } from "./table/fault-law.ts";
export { loadClientOf, WriteLedger } from "./table/write-load.ts";
export type { LoadClient, LoadStep } from "./table/write-load.ts";

/** Every sentence of the law, in reading order. */
export const stateChecks: readonly StateCheck[] = Object.freeze([
  ...entryChecks,
  ...conditionChecks,
  ...keyChecks,
  ...batchChecks,
  ...orderChecks,
  ...expiryChecks,
  ...revisionChecks,
  ...transactionChecks,
  ...operationChecks,
  ...riderChecks,
  ...scopeChecks,
  ...outboxChecks,
  ...engineChecks,
  ...durableChecks,
  ...modelChecks,
  ...outboxModelChecks,
]);

/** How one check ended. `error` is what broke it. */
export type StateCheckResult =
  | { readonly name: string; readonly kind: "held" }
  | { readonly name: string; readonly kind: "skipped"; readonly reason: string }
  | { readonly name: string; readonly kind: "broken"; readonly error: unknown };

/**
 * Registers the law for one engine with `node:test`.
 *
 * @example
 * describeStateEngine({ name: "mine", capabilities: ["expires"], open: openMine });
 */
export function describeStateEngine(suite: StateSuite): void {
  const seed = seedOf(suite);
  assertSkips(suite);
  describe(`the law of state, kept by ${suite.name}`, () => {
    for (const check of stateChecks) {
      it(check.name, async (context) => {
        const result = await runCheck(suite, check, seed);
        if (result.kind === "skipped") context.skip(result.reason);
        if (modelChecks.includes(check) || outboxModelChecks.includes(check))
          context.diagnostic(`seed ${seed}`);
        if (result.kind === "broken") throw result.error;
      });
    }
  });
}

/** Runs the law for one engine and tells how each check ended; nothing is thrown. */
export async function runStateChecks(
  suite: StateSuite,
  checks: readonly StateCheck[] = stateChecks,
): Promise<StateCheckResult[]> {
  const seed = seedOf(suite);
  assertSkips(suite);
  const results: StateCheckResult[] = [];
  for (const check of checks) results.push(await runCheck(suite, check, seed));
  return results;
}

async function runCheck(
  suite: StateSuite,
  check: StateCheck,
  seed: number,
): Promise<StateCheckResult> {
  const { name } = check;
  const skip = suite.skips?.[name];
  if (skip !== undefined) return { name, kind: "skipped", reason: skip };
  let harness: StateHarness | undefined;
  try {
    harness = await suite.open();
    const { engine } = harness;
    assert.deepEqual([...engine.capabilities].sort(), [...suite.capabilities].sort());
    const reason = reasonToSkip(check, harness);
    if (reason !== undefined) return { name, kind: "skipped", reason };
    await check.run(new Subject(harness, { seed, runs: suite.runs ?? 100 }));
    return { name, kind: "held" };
  } catch (error) {
    return { name, kind: "broken", error };
  } finally {
    await harness?.close();
  }
}

function reasonToSkip({ needs }: StateCheck, { engine }: StateHarness): string | undefined {
  if (needs === undefined) return undefined;
  if (needs === "durable") {
    return engine.durability === "durable" ? undefined : `${engine.name} is ephemeral`;
  }
  return engine.capabilities.has(needs) ? undefined : `${engine.name} does not declare ${needs}`;
}

function assertSkips({ skips = {} }: StateSuite): void {
  const known = new Set(stateChecks.map(({ name }) => name));
  for (const [name, reason] of Object.entries(skips)) {
    assert(known.has(name), `"${name}" is no check of the law, so it cannot be skipped.`);
    assert(reason !== "", `The skip of "${name}" needs a reason.`);
  }
}

function seedOf({ seed }: StateSuite): number {
  return seed ?? Math.floor(systemRandom.next() * 2 ** 31);
}
