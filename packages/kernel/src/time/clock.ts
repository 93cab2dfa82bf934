/**
 * Time comes in through this port, so that a test owns it.
 *
 * Two readings, for two questions: `nowMs` is the wall clock (what the date is; it may jump), and
 * `monotonicMs` only ever goes forward (how long something took, when a deadline is reached).
 * Deadlines and leases inside a process are monotonic; only wires and files carry wall time.
 */

// Not the global of the same name: that one is a getter, paid for at every reading.
import { performance } from "node:perf_hooks";

/** Undoes a timer. Safe to call twice, and after it fired. */
export type CancelTimer = () => void;

export interface TimerOptions {
  /** Keep the process alive for it. Default false: a timer is no reason to stay. */
  readonly keepAlive?: boolean;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00Z. May jump either way. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Calls `fire` once, `delayMs` from now (0 … 2^31-1). */
  setTimer(delayMs: number, fire: () => void, options?: TimerOptions): CancelTimer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

const delayMaxMs = 2 ** 31 - 1;

/** The real clock. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs: number, fire: () => void, options: TimerOptions = {}): CancelTimer {
    const timer = setTimeout(fire, Math.min(Math.max(delayMs, 0), delayMaxMs));
    if (options.keepAlive !== true) timer.unref();
    return () => clearTimeout(timer);
  },
  sleep(delayMs: number, options: { readonly signal?: AbortSignal | undefined } = {}) {
    return sleepOn(systemClock, delayMs, options.signal);
  },
});

/**
 * `sleep` for any clock, built on its timer. A sleeper is awaited work, so it keeps the process
 * alive (unlike a bare timer).
 */
export function sleepOn(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.setTimer(
      delayMs,
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      { keepAlive: true },
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
