/**
 * The law of a bus, as checks that run anywhere. Third parties hold their bus to it:
 *
 *     describeBus({ name: "my bus", capabilities: [], open: async () => … });
 *
 * Every check opens a bus of its own, has a bounded patience, and is named by the sentence it
 * proves.
 */

import { describe, test } from "node:test";
import { backpressureLaw } from "./conformance/backpressure-law.ts";
import { bodyLaw } from "./conformance/body-law.ts";
import { closingLaw } from "./conformance/closing-law.ts";
import { deadLetterLaw } from "./conformance/dead-letter-law.ts";
import { deliveryLaw } from "./conformance/delivery-law.ts";
import { playHistory, seededHistory } from "./conformance/interleaving.ts";
import type { BusCheck, BusSubject } from "./conformance/law-check.ts";
import { LawRun } from "./conformance/law-check.ts";
import { refusalLaw } from "./conformance/refusal-law.ts";
import { retryLaw } from "./conformance/retry-law.ts";

export { playHistory } from "./conformance/interleaving.ts";
export type { History, Outcome, Step } from "./conformance/interleaving.ts";
export { LawRun } from "./conformance/law-check.ts";
export type { BusCheck, BusHarness, BusSubject } from "./conformance/law-check.ts";

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
  ...deadLetterLaw,
  ...backpressureLaw,
  ...closingLaw,
  ...refusalLaw,
  ...historyLaw,
];

/** Runs one check on a bus of its own, and closes that whatever came of it. */
export async function runCheck(subject: BusSubject, check: BusCheck): Promise<void> {
  const harness = await subject.open();
  try {
    await check.run(new LawRun(harness, subject.capabilities));
  } finally {
    await harness.bus.close({ drainMs: 0 });
  }
}

export interface BrokenCheck {
  readonly name: string;
  readonly error: unknown;
}

/** Runs the whole law without a test runner; answers what did not hold. */
export async function findBrokenChecks(
  subject: BusSubject,
  checks: readonly BusCheck[] = busLaw,
): Promise<BrokenCheck[]> {
  const broken: BrokenCheck[] = [];
  for (const check of checks) {
    try {
      await runCheck(subject, check);
    } catch (error) {
      broken.push({ name: check.name, error });
    }
  }
  return broken;
}

/** Registers the law with `node:test`. */
export function describeBus(subject: BusSubject): void {
  describe(`the law of a bus, held by the ${subject.name}`, () => {
    for (const check of busLaw) test(check.name, () => runCheck(subject, check));
  });
}
