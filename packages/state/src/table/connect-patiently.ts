/** Opening waits for a server that is not there yet: nodes and databases start in any order. */

import { backoffMs } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { TableFailure } from "./table-database.ts";

const backoff = { initialMs: 50, maxMs: 1000 };

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly connectTimeoutMs: number;
  /** For the log. */
  readonly place: string;
}

/**
 * Tries until it succeeds, fails for a reason that waiting does not mend, or the time is over; then
 * it rejects with the last reason.
 */
export async function connectPatiently<T>(
  connect: () => Promise<T>,
  { clock, random, log, connectTimeoutMs, place }: Patience,
): Promise<T> {
  const endsAt = clock.monotonicMs() + connectTimeoutMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await connect();
    } catch (error) {
      const pauseMs = backoffMs(tries, random, backoff);
      if (!(error instanceof TableFailure)) throw error;
      if (clock.monotonicMs() + pauseMs >= endsAt) throw error;
      if (tries === 1) log.warn("the database is not there yet; waiting", { at: place, error });
      await clock.sleep(pauseMs);
    }
  }
}
