/** Bounded waiting: a stop must end whatever the parts do. */

import type { Clock } from "@banyan/kernel";

export type Outcome<T> = { readonly kind: "done"; readonly value: T } | { readonly kind: "late" };

export interface Patience {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Ends the wait early: as late as at the limit. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for a promise at most so long. A late one is left alone; its rejection is swallowed, as
 * whoever waited was told that it is late.
 */
export async function within<T>(
  { clock, limitMs, signal }: Patience,
  work: Promise<T>,
): Promise<Outcome<T>> {
  work.catch(() => undefined);
  if (signal?.aborted === true) return { kind: "late" };
  const late = Promise.withResolvers<Outcome<T>>();
  const giveUp = (): void => late.resolve({ kind: "late" });
  const cancel = clock.setTimer(limitMs, giveUp, { keepAlive: true });
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const done = work.then((value): Outcome<T> => ({ kind: "done", value }));
    return await Promise.race([done, late.promise]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", giveUp);
  }
}
