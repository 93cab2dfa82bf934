/** The law of locks: what holds on whatever engine keeps them. */

import { describe, it } from "node:test";
import { systemRandom } from "@banyan/kernel";
import { openLocks } from "../lock/open-locks.ts";
import type { StateHarness } from "./harness.ts";
import { exclusionChecks } from "./lock/exclusion-checks.ts";
import { failureChecks } from "./lock/failure-checks.ts";
import { guardChecks } from "./lock/guard-checks.ts";
import { historyChecks } from "./lock/history-checks.ts";
import { leaderChecks } from "./lock/leader-checks.ts";
import { LockSubject } from "./lock/lock-subject.ts";
import type { LockCheck, LockSuite } from "./lock/lock-subject.ts";
import { tenureChecks } from "./lock/tenure-checks.ts";

/** Every sentence of the law of locks, in reading order. */
export const lockChecks: readonly LockCheck[] = Object.freeze([
  ...exclusionChecks,
  ...tenureChecks,
  ...failureChecks,
  ...guardChecks,
  ...leaderChecks,
  ...historyChecks,
]);

/** How one check ended. `error` is what broke it. */
export type LockCheckResult =
  | { readonly name: string; readonly kind: "held" }
  | { readonly name: string; readonly kind: "skipped"; readonly reason: string }
  | { readonly name: string; readonly kind: "broken"; readonly error: unknown };

/**
 * Registers the law of locks for one engine with `node:test`. The engine has `expires`, `revisions`
 * and `transaction`.
 *
 * @example
 * describeLocks({ name: "mine", open: openMine });
 */
export function describeLocks(suite: LockSuite): void {
  const seed = seedOf(suite);
  describe(`the law of locks, kept on ${suite.name}`, () => {
    for (const check of lockChecks) {
      it(check.name, async (context) => {
        const result = await runCheck(suite, check, seed);
        if (result.kind === "skipped") context.skip(result.reason);
        if (historyChecks.includes(check)) context.diagnostic(`seed ${seed}`);
        if (result.kind === "broken") throw result.error;
      });
    }
  });
}

/** Runs the law of locks for one engine and tells how each check ended; nothing is thrown. */
export async function runLockChecks(
  suite: LockSuite,
  checks: readonly LockCheck[] = lockChecks,
): Promise<LockCheckResult[]> {
  const seed = seedOf(suite);
  const results: LockCheckResult[] = [];
  for (const check of checks) results.push(await runCheck(suite, check, seed));
  return results;
}

async function runCheck(
  suite: LockSuite,
  check: LockCheck,
  seed: number,
): Promise<LockCheckResult> {
  const { name, needs } = check;
  let harness: StateHarness | undefined;
  try {
    harness = await suite.open();
    const { engine } = harness;
    if (needs !== undefined && engine.durability !== needs) {
      return { name, kind: "skipped", reason: `${engine.name} is ${engine.durability}` };
    }
    const { runs = 100 } = suite;
    await check.run(
      new LockSubject(harness, { openLocks: suite.openLocks ?? openLocks, seed, runs }),
    );
    return { name, kind: "held" };
  } catch (error) {
    return { name, kind: "broken", error };
  } finally {
    await harness?.close();
  }
}

function seedOf({ seed }: LockSuite): number {
  return seed ?? Math.floor(systemRandom.next() * 2 ** 31);
}
