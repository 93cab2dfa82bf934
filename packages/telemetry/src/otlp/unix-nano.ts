/** Times of OTLP: whole nanoseconds since 1970, beyond what a JavaScript number holds. */

const nanosPerMs = 1_000_000n;

/**
 * Milliseconds with fractions as nanoseconds, exactly: whole milliseconds are counted as a BigInt,
 * and only the fraction is multiplied as a number, which it is small enough for. Multiplied in one
 * piece, a time of today would be off by up to 128 ns.
 *
 * What is no time (before 1970, not finite) is 0, which OTLP reads as unknown.
 */
export function nanosOf(ms: number): bigint {
  if (!Number.isFinite(ms) || ms <= 0) return 0n;
  const whole = Math.floor(ms);
  const nanos = BigInt(whole) * nanosPerMs + BigInt(Math.round((ms - whole) * 1e6));
  return BigInt.asUintN(64, nanos);
}
