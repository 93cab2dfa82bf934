/**
 * The clock of one owner under test. It moves only when told, and apart from the engine's: that is
 * what a paused process is. No timer fires but in `advance` and `wake`.
 */

import type { CancelTimer, Clock } from "@banyan/kernel";
import { sleepOn } from "@banyan/kernel/internal";

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  /** Far from any engine's time: a fencing number that came from here would show. */
  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): CancelTimer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(delayMs: number, options: { readonly signal?: AbortSignal | undefined } = {}) {
    return sleepOn(this, delayMs, options.signal);
  }

  /** Time passes while no timer can fire: the process stands still. */
  sleepThrough(ms: number): void {
    this.#nowMs += ms;
  }

  /** Time passes, and timers fire when they are due, each once. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fire();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && timer.dueMs < (first?.dueMs ?? Infinity)) first = timer;
    }
    return first;
  }
}
