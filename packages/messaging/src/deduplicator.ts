/**
 * Remembers which events were handled, so that a redelivery is handled once. The bus delivers at
 * least once; this makes it once for a handler in one process, as far as its memory reaches. Work
 * that must be done once across restarts keeps its own record beside its data.
 *
 * I1. An id is remembered only when its work succeeded: a failed one may come again.
 * I2. A repeat that comes while the first still runs waits for its end, and runs if that failed.
 * I3. At most `remember` ids are kept, the oldest goes first. One older than `ttlMs` counts no
 *     more, though it stays until it is pushed out.
 */

import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import { messagingErrors } from "./errors.ts";

export interface DeduplicatorOptions {
  /** Ids kept, 1 or more. Default 10 000: repeats come soon after, not after a day. */
  readonly remember?: number | undefined;
  /** Milliseconds an id counts. Default 900 000 (15 minutes): past the longest row of retries. */
  readonly ttlMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

export interface Deduplicator {
  /** Runs the work unless it was done for this id. `duplicate`: it was, nothing ran. */
  once(id: string, work: () => Promise<void> | void): Promise<"done" | "duplicate">;
  /** Ids kept now, those past their time included. */
  readonly size: number;
}

/**
 * One per handler: two handlers of the same event each do their own work.
 *
 * @example
 * const seen = createDeduplicator();
 * const onOrder = (order) => seen.once(order.eventId, () => charge(order));
 */
export function createDeduplicator(options: DeduplicatorOptions = {}): Deduplicator {
  const { remember = 10_000, ttlMs = 900_000, clock = systemClock } = options;
  if (!Number.isInteger(remember) || remember < 1 || !(ttlMs > 0)) {
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      "A deduplicator remembers 1 or more ids for more than 0 milliseconds.",
    );
  }
  const done = new Map<string, number>();
  const running = new Map<string, Promise<void>>();

  const isDone = (id: string): boolean => {
    const doneAtMs = done.get(id);
    return doneAtMs !== undefined && clock.monotonicMs() - doneAtMs < ttlMs;
  };

  const record = (id: string): void => {
    done.delete(id); // an expired one must move to the young end
    done.set(id, clock.monotonicMs());
    const [oldest] = done.keys();
    if (done.size > remember && oldest !== undefined) done.delete(oldest);
  };

  return {
    get size() {
      return done.size;
    },
    async once(id, work) {
      for (;;) {
        if (isDone(id)) return "duplicate";
        const other = running.get(id);
        if (other === undefined) break;
        // Its failure is its own caller's; here it only means that it is our turn (I2).
        await other.catch(() => undefined);
      }
      const own = Promise.try(work);
      running.set(id, own);
      try {
        await own;
        record(id);
        return "done";
      } finally {
        running.delete(id);
      }
    },
  };
}
