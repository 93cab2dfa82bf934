/**
 * The few figures that are told of a series of samples.
 *
 * Medians throughout: on a shared machine the mean belongs to whoever disturbed it. Two series that
 * were taken in turns are compared pair by pair, so that what slowed both down cancels out.
 */

/** Where the samples lie: the extremes and the middle half. */
export interface Spread {
  readonly min: number;
  readonly q1: number;
  readonly q3: number;
  readonly max: number;
}

/** The value below which the share of the samples lies, between neighbours by distance. */
export function quantile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error("There is no quantile of no samples.");
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

export function spreadOf(samples: readonly number[]): Spread {
  return {
    min: roundFigure(quantile(samples, 0)),
    q1: roundFigure(quantile(samples, 0.25)),
    q3: roundFigure(quantile(samples, 0.75)),
    max: roundFigure(quantile(samples, 1)),
  };
}

/** The median of `ours[n] / theirs[n]`. Both series come from the same rounds. */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) {
    throw new Error(`${ours.length} samples cannot be paired with ${theirs.length}.`);
  }
  return median(ours.map((own, index) => own / (theirs[index] ?? NaN)));
}

/** Four digits: more would claim what no machine repeats. */
export function roundFigure(value: number): number {
  return Number(value.toPrecision(4));
}
