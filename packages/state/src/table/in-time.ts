/** A bound on what only the end of a connection can end. */

import type { Clock } from "@banyan/kernel";

export interface TimeBound {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends what the work waits for, so that it rejects. */
  readonly giveUp: () => void;
}

/** Does the work; when the time is over, what it waits for is ended. */
export async function inTime<T>(
  { clock, timeoutMs, giveUp }: TimeBound,
  work: () => Promise<T>,
): Promise<T> {
  // It keeps the process alive: somebody waits for it.
  const cancel = clock.setTimer(timeoutMs, giveUp, { keepAlive: true });
  try {
    return await work();
  } finally {
    cancel();
  }
}
