/**
 * For how long the server has taken nothing although something was wanted of it.
 *
 * What was published in time to fail leaves the row, so neither its oldest nor its being full tell
 * of an outage in which everything is withdrawn at its deadline. This counts across those.
 *
 * S1. It stands still while nothing is wanted: who publishes nothing is told of no outage.
 * S2. It begins anew when the server took something, when it came back and nothing was wanted, and
 *     when nothing was wanted for longer than the bound itself.
 */

import type { Clock } from "@banyan/kernel";

export class Unserved {
  readonly #clock: Clock;
  readonly #gapMaxMs: number;
  /** Wanted, and not ended. */
  #open = 0;
  /** `Infinity`: the server owes nothing. */
  #sinceMs = Infinity;
  /** The last time that nothing was wanted any more. */
  #leftAtMs = 0;

  /** @param gapMaxMs after so long without a wish it begins anew */
  constructor(clock: Clock, gapMaxMs: number) {
    this.#clock = clock;
    this.#gapMaxMs = gapMaxMs;
  }

  wanted(): void {
    if (this.#open === 0) {
      const nowMs = this.#clock.monotonicMs();
      const isNew = this.#sinceMs === Infinity || nowMs - this.#leftAtMs > this.#gapMaxMs;
      if (isNew) this.#sinceMs = nowMs;
    }
    this.#open += 1;
  }

  /** Taken, or given up. */
  left(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#leftAtMs = this.#clock.monotonicMs();
  }

  served(): void {
    this.#sinceMs = this.#open > 0 ? this.#clock.monotonicMs() : Infinity;
  }

  /** The server can be reached and takes what comes, as far as is known. */
  cameBack(): void {
    if (this.#open === 0) this.#sinceMs = Infinity;
  }

  /** Milliseconds. */
  get lastsMs(): number {
    const untilMs = this.#open > 0 ? this.#clock.monotonicMs() : this.#leftAtMs;
    return Math.max(0, untilMs - this.#sinceMs);
  }
}
