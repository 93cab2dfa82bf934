/**
 * The law of a bus, as checks that run anywhere. Third parties hold their bus to it:
 *
 *     describeBus({ name: "my bus", capabilities: [], open: async () => … });
 *
 * A durable bus says `restarts: true` and gives its harness a `restart`; one that declares
 * `transactions` gives it a `commit`. Every check opens a bus of its own, has a bounded patience,
 * and is named by the sentence it proves.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backpressureLaw } from "./conformance/backpressure-law.ts";
import { bodyLaw } from "./conformance/body-law.ts";
import { closingLaw } from "./conformance/closing-law.ts";
import { deadLetterLaw } from "./conformance/dead-letter-law.ts";
import { delayLaw } from "./conformance/delay-law.ts";
import { deliveryLaw } from "./conformance/delivery-law.ts";
import { expiryLaw } from "./conformance/expiry-law.ts";
import { playHistory, seededHistory } from "./conformance/interleaving.ts";
import type { BusCheck, BusSubject } from "./conformance/law-check.ts";
import { LawRun } from "./conformance/law-check.ts";
import { leaseLaw } from "./conformance/lease-law.ts";
import { orderedLaw } from "./conformance/ordered-law.ts";
import { priorityLaw } from "./conformance/priority-law.ts";
import { publishLaw } from "./conformance/publish-law.ts";
import { refusalLaw } from "./conformance/refusal-law.ts";
import { restartLaw } from "./conformance/restart-law.ts";
import { retentionLaw } from "./conformance/retention-law.ts";
import { retryLaw } from "./conformance/retry-law.ts";
import { stageLaw } from "./conformance/stage-law.ts";
import { wildcardLaw } from "./conformance/wildcard-law.ts";

export { playHistory } from "./conformance/interleaving.ts";
export type { History, Outcome, Step } from "./conformance/interleaving.ts";
export { LawRun } from "./conformance/law-check.ts";
export type { BusCheck, BusHarness, BusSubject } from "./conformance/law-check.ts";
export { openJournaled } from "./conformance/journaled-harness.ts";
export type { MovableClock } from "./conformance/journaled-harness.ts";
export { TestDisk, TestJournal, testUnavailable } from "./conformance/test-journal.ts";
export type { TestDiskOptions, TestJournalWrite } from "./conformance/test-journal.ts";

const historySeeds = [1, 2, 3, 4, 5, 6, 7, 8];

const historyLaw: readonly BusCheck[] = historySeeds.map((seed) => ({
  name: `a random history loses nothing (seed ${seed})`,
  run: (law) => playHistory(law, seededHistory(seed)),
}));

/** Every check, in the order it is best read. */
export const busLaw: readonly BusCheck[] = [
  ...deliveryLaw,
  ...bodyLaw,
  ...retryLaw,
  ...leaseLaw,
  ...deadLetterLaw,
  ...backpressureLaw,
  ...publishLaw,
  ...expiryLaw,
  ...closingLaw,
  ...wildcardLaw,
  ...orderedLaw,
  ...delayLaw,
  ...priorityLaw,
  ...retentionLaw,
  ...stageLaw,
  ...restartLaw,
  ...refusalLaw,
  ...historyLaw,
];

/** The checks a bus is held to: those for capabilities it does not declare are refusals. */
export function lawFor({ capabilities, restarts }: BusSubject): readonly BusCheck[] {
  return busLaw.filter(({ needs }) => {
    if (needs === undefined) return true;
    return needs === "restart" ? restarts === true : capabilities.includes(needs);
  });
}

/** Runs one check on a bus of its own, and closes that whatever came of it. */
export async function runCheck(subject: BusSubject, check: BusCheck): Promise<void> {
  const law = new LawRun(await subject.open(), subject.capabilities, subject);
  const isDurable = law.bus.durability === "durable";
  assert(!isDurable || subject.restarts === true, "a durable bus must be held to `restarts: true`");
  try {
    await check.run(law);
  } finally {
    await law.end();
  }
}

export interface BrokenCheck {
  readonly name: string;
  readonly error: unknown;
}

/**
 * Runs the law without a test runner; answers what did not hold.
 * @param enough stops after so many broken checks. Default: runs all.
 */
export async function findBrokenChecks(
  subject: BusSubject,
  checks: readonly BusCheck[] = lawFor(subject),
  enough = Infinity,
): Promise<BrokenCheck[]> {
  const broken: BrokenCheck[] = [];
  for (const check of checks) {
    if (broken.length >= enough) break;
    try {
      await runCheck(subject, check);
    } catch (error) {
      broken.push({ name: check.name, error });
    }
  }
  return broken;
}

/**
 * Registers the law with `node:test`.
 * @param concurrency checks at once: real servers spend the time waiting. Default 1.
 */
export function describeBus(
  subject: BusSubject,
  { concurrency = 1 }: { readonly concurrency?: number } = {},
): void {
  describe(`the law of a bus, held by the ${subject.name}`, { concurrency }, () => {
    for (const check of lawFor(subject)) test(check.name, () => runCheck(subject, check));
  });
}
