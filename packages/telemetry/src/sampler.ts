/**
 * Which new traces are kept whole: a share of them, and at most so many a second.
 *
 * Drawn by the gap to the next one (geometric), so that a call that is not drawn costs a
 * subtraction, not a random number.
 */

import type { Random } from "@banyan/kernel";

export interface SamplerOptions {
  /** Share of new traces, 0 … 1. */
  readonly ratio: number;
  /** New traces in a second; `Infinity`: no bound but the ratio. */
  readonly perSecondMax: number;
  /** The bound is given out in portions for so many milliseconds. Default 1000. */
  readonly windowMs?: number;
  readonly random: Random;
}

/** Answers whether the trace that begins at this time (monotonic, milliseconds) is kept. */
export type Sampler = (nowMs: number) => boolean;

export function createSampler(options: SamplerOptions): Sampler {
  const { ratio, perSecondMax, windowMs = 1000, random } = options;
  if (ratio <= 0) return () => false;
  const gap = ratio >= 1 ? () => 0 : createGap(ratio, random);
  let toSkip = gap();
  const portion = (perSecondMax * windowMs) / 1000;
  let windowEndsMs = -Infinity;
  let left = 0;
  return (nowMs) => {
    if (toSkip > 0) {
      toSkip -= 1;
      return false;
    }
    toSkip = gap();
    if (nowMs >= windowEndsMs) {
      windowEndsMs = nowMs + windowMs;
      left = portion;
    }
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

/** Failures before a success of chance `ratio`: floor(ln(1 - u) / ln(1 - ratio)), u in [0, 1). */
function createGap(ratio: number, random: Random): () => number {
  const divisor = Math.log1p(-ratio);
  return () => Math.floor(Math.log1p(-random.next()) / divisor);
}
