/** One timer for many deadlines: who owns them looks when the first is over, and says when next. */

import type { CancelTimer, Clock } from "@banyan/kernel";

export class DeadlineTimer {
  readonly #clock: Clock;
  /** Ends what is over; answers when to look again, if at all. Times are monotonic. */
  readonly #look: (nowMs: number) => number | undefined;
  #cancel: CancelTimer | undefined;
  /** What it waits for. */
  #dueMs = Infinity;

  constructor(clock: Clock, look: (nowMs: number) => number | undefined) {
    this.#clock = clock;
    this.#look = look;
  }

  /** What is due later than what the timer waits for is met when that is over. */
  arm(dueMs: number): void {
    if (this.#cancel !== undefined) {
      // Only what was asked elsewhere before is due earlier than what came before it.
      if (dueMs >= this.#dueMs) return;
      this.#cancel();
    }
    this.#dueMs = dueMs;
    const delayMs = Math.max(1, Math.ceil(dueMs - this.#clock.monotonicMs()));
    this.#cancel = this.#clock.setTimer(delayMs, () => {
      this.#cancel = undefined;
      const nextMs = this.#look(this.#clock.monotonicMs());
      if (nextMs !== undefined) this.arm(nextMs);
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
