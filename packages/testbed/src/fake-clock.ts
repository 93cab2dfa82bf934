/**
 * A clock that moves only when the test says so. It imports types alone, so that the kernel's own
 * tests can use it whatever state the kernel is in.
 *
 * What it owns: the pending timers, in the order they fire.
 * What may interrupt it: timers set or cancelled from inside a firing timer, or by the promise
 * chains that run between two timers.
 *
 * I1. Timers fire in the order of their due time; equal ones in the order they were set.
 * I2. While a timer fires, `monotonicMs` is exactly its due time.
 * I3. `monotonicMs` never goes back; only `jumpWallClock` moves the wall clock alone.
 * I4. Between two timers every microtask and every promise chain that needs no real I/O has run.
 */

import assert from "node:assert/strict";
import type { CancelTimer, Clock, TimerOptions } from "@banyan/kernel";

export interface FakeClockOptions {
  /** Wall clock at the start. Default 2025-01-01T00:00:00Z: easy to read in a log. */
  readonly nowMs?: number;
  /** Monotonic time at the start. Default 0. */
  readonly monotonicMs?: number;
}

/** A timer that has not fired. */
export interface PendingTimer {
  /** Monotonic time at which it fires. */
  readonly dueMs: number;
  readonly keepAlive: boolean;
}

interface Timer extends PendingTimer {
  readonly fire: () => void;
}

const delayMaxMs = 2 ** 31 - 1; // as the real clock
const firedMax = 100_000; // per instant; more is a timer that re-arms itself with no delay

// Taken once: a test that mocks the global timers must not stop this clock.
const realImmediate = setImmediate;

/**
 * @example
 * const clock = new FakeClock();
 * const slept = clock.sleep(60_000);
 * await clock.advance(60_000); // at once
 * await slept;
 */
export class FakeClock implements Clock {
  readonly #timers: Timer[] = [];
  #monotonicMs: number;
  #wallOffsetMs: number;
  #advancing = false;

  constructor(options: FakeClockOptions = {}) {
    const { nowMs = Date.UTC(2025, 0, 1), monotonicMs = 0 } = options;
    this.#monotonicMs = monotonicMs;
    this.#wallOffsetMs = nowMs - monotonicMs;
  }

  nowMs(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, fire: () => void, options: TimerOptions = {}): CancelTimer {
    assert(!Number.isNaN(delayMs), "A timer's delay is NaN.");
    const dueMs = this.#monotonicMs + Math.min(Math.max(delayMs, 0), delayMaxMs);
    const timer: Timer = { dueMs, keepAlive: options.keepAlive === true, fire };
    this.#timers.splice(this.#placeOf(dueMs), 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  sleep(
    delayMs: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wake = (): void => {
      signal?.removeEventListener("abort", stop);
      resolve();
    };
    const stop = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = this.setTimer(delayMs, wake, { keepAlive: true });
    signal?.addEventListener("abort", stop, { once: true });
    return promise;
  }

  /** What waits, in the order it fires. */
  get pending(): readonly PendingTimer[] {
    return this.#timers.map(({ dueMs, keepAlive }) => ({ dueMs, keepAlive }));
  }

  /** Moves both clocks on, firing what becomes due and letting promises settle in between (I4). */
  advance(ms: number): Promise<void> {
    assert(ms >= 0, `A clock advances by 0 or more milliseconds, not ${ms}.`);
    return this.advanceTo(this.#monotonicMs + ms);
  }

  /** The same, to a monotonic time. What a timer throws rejects; the clock then stays there. */
  async advanceTo(monotonicMs: number): Promise<void> {
    this.#startAdvancing(monotonicMs);
    try {
      await this.settle();
      let fired = 0;
      for (let timer = this.#take(monotonicMs); timer; timer = this.#take(monotonicMs)) {
        fired = this.#reach(timer, fired);
        timer.fire();
        await this.settle();
      }
      this.#monotonicMs = monotonicMs;
    } finally {
      this.#advancing = false;
    }
  }

  /** Moves to the next pending timer and fires all that are due then. How far it went. */
  async advanceToNext(): Promise<number> {
    // What is about to be set counts too.
    await this.settle();
    const [next] = this.#timers;
    assert(next !== undefined, "No timer is pending: the clock has nowhere to go.");
    const from = this.#monotonicMs;
    await this.advanceTo(next.dueMs);
    return next.dueMs - from;
  }

  /**
   * Moves on without letting promises settle: for machines that are driven synchronously, in
   * properties that run thousands of times.
   */
  advanceSync(ms: number): void {
    const target = this.#monotonicMs + ms;
    this.#startAdvancing(target);
    try {
      let fired = 0;
      for (let timer = this.#take(target); timer; timer = this.#take(target)) {
        fired = this.#reach(timer, fired);
        timer.fire();
      }
      this.#monotonicMs = target;
    } finally {
      this.#advancing = false;
    }
  }

  /** Moves the wall clock alone, either way, as an operator or a time server does. */
  jumpWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /**
   * Lets everything run that waits for no timer and no real I/O. Two turns of the loop: the first
   * empties the microtasks, the second what those put into `setImmediate`.
   */
  async settle(): Promise<void> {
    await nextTurn();
    await nextTurn();
  }

  #startAdvancing(monotonicMs: number): void {
    assert(!this.#advancing, "The clock is advancing already: await the first advance.");
    assert(
      monotonicMs >= this.#monotonicMs,
      `The monotonic clock is at ${this.#monotonicMs} ms and cannot go to ${monotonicMs} ms.`,
    );
    this.#advancing = true;
  }

  #take(untilMs: number): Timer | undefined {
    const [next] = this.#timers;
    return next === undefined || next.dueMs > untilMs ? undefined : this.#timers.shift();
  }

  #reach(timer: Timer, fired: number): number {
    if (timer.dueMs > this.#monotonicMs) {
      this.#monotonicMs = timer.dueMs;
      return 1;
    }
    assert(fired < firedMax, `${firedMax} timers fired at ${timer.dueMs} ms: one re-arms itself.`);
    return fired + 1;
  }

  /** Behind everything that is due at the same time or earlier (I1). */
  #placeOf(dueMs: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const timer = this.#timers[middle];
      if (timer !== undefined && timer.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    realImmediate(resolve);
  });
}
