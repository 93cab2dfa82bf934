/** Waiting that may be given up: what was asked goes on, its answer is for nobody. */

import type { Waiting } from "@banyan/kernel";
import { abortError, assertNotAborted } from "../failures.ts";

/** The answer, or the caller's abort if that is first. @throws CALL_CANCELLED and its like */
export function abandonable<T>(answer: Promise<T>, waiting: Waiting = {}): Promise<T> {
  const { signal } = waiting;
  if (signal === undefined) return answer;
  // Whoever gave up already hears of no answer, nor of its failure.
  answer.catch(() => undefined);
  assertNotAborted(waiting);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
