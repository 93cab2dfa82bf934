/**
 * Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): the
 * wait is uniform between 0 and the capped exponential, which spreads a crowd of retriers best.
 */

import type { Random } from "../random.ts";

export interface BackoffOptions {
  /** Upper bound of the first wait. Default 100 ms: longer than a hiccup, shorter than patience. */
  readonly initialMs?: number;
  /** Upper bound of any wait. Default 30 s. */
  readonly maxMs?: number;
  /** Growth from one wait to the next. Default 2. */
  readonly factor?: number;
  /** `full` (default): uniform in 0 … bound. `none`: the bound itself, for tests and schedules. */
  readonly jitter?: "full" | "none";
}

/**
 * The wait before a retry, in milliseconds.
 * @param attempt 1 for the wait after the first failure.
 */
export function backoffMs(attempt: number, random: Random, options: BackoffOptions = {}): number {
  const { initialMs = 100, maxMs = 30_000, factor = 2, jitter = "full" } = options;
  // The exponent is bounded first: factor ** 2000 is Infinity, and Infinity * 0 is NaN.
  const bound = Math.min(maxMs, initialMs * factor ** Math.min(Math.max(attempt, 1) - 1, 64));
  return jitter === "none" ? bound : random.next() * bound;
}
