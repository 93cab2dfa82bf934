/**
 * A bound on what runs at once, with a bound on what waits for it.
 *
 * I1. At most `runningMax` tasks run; at most `waitingMax` wait; the next is refused by name.
 * I2. A waiter that is aborted leaves the queue at once and rejects with the signal's reason.
 */

import { kernelErrors } from "./errors/kernel-errors.ts";

export interface LimiterOptions {
  /** Tasks at once, 1 or more. */
  readonly runningMax: number;
  /** Tasks in the queue. Default 0: refuse at once. */
  readonly waitingMax?: number;
  /** What is limited, for the message: `"writes of store visits"`. */
  readonly what: string;
}

export class Limiter {
  readonly #options: LimiterOptions;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs the task when there is room. @throws CALL_LIMIT_REACHED when the queue is full too. */
  async run<T>(task: () => Promise<T>, options: { signal?: AbortSignal } = {}): Promise<T> {
    await this.#enter(options.signal);
    try {
      return await task();
    } finally {
      this.#running -= 1;
      const first = this.#waiting.values().next();
      if (first.done !== true) {
        this.#waiting.delete(first.value);
        first.value();
      }
    }
  }

  #enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    const { runningMax, waitingMax = 0, what } = this.#options;
    if (this.#running < runningMax && this.#waiting.size === 0) {
      this.#running += 1;
      return undefined;
    }
    if (this.#waiting.size >= waitingMax) {
      throw kernelErrors.CALL_LIMIT_REACHED(
        `There are ${this.#running} ${what} running and ${this.#waiting.size} waiting, ` +
          `as many as allowed; try again later.`,
      );
    }
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", onAbort);
        this.#running += 1;
        resolve();
      };
      const onAbort = (): void => {
        this.#waiting.delete(start);
        reject(signal?.reason);
      };
      this.#waiting.add(start);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
