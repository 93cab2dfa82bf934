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
  readonly random: Random;
}

/** Answers whether the trace that begins at this time (monotonic, milliseconds) is kept. */
export type Sampler = (nowMs: number) => boolean;

export function createSampler({ ratio, perSecondMax, random }: SamplerOptions): Sampler {
  if (ratio <= 0) return () => false;
  const gap = ratio >= 1 ? () => 0 : createGap(ratio, random);
  let toSkip = gap();
  let secondEndsMs = -Infinity;
  let left = 0;
  return (nowMs) => {
    if (toSkip > 0) {
      toSkip -= 1;
      return false;
    }
    toSkip = gap();
    if (nowMs >= secondEndsMs) {
      secondEndsMs = nowMs + 1000;
      left = perSecondMax;
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
