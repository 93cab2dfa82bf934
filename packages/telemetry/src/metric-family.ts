/**
 * A family: one metric name and the series below it, one per combination of label values.
 *
 * I1. There are at most `seriesMax` series and one more for the overflow. A combination that comes
 *     when they are used up counts into the overflow series, which carries the label
 *     `otel_metric_overflow="true"`; every such look-up is reported to `onOverflow`.
 * I2. A series, once handed out, stays: its numbers never disappear from the output.
 */

import type { LabelArguments, MetricFamily } from "./metric.ts";

export interface FamilyOptions<S> {
  readonly name: string;
  readonly labels: readonly string[];
  readonly seriesMax: number;
  readonly create: () => S;
  readonly onOverflow: () => void;
}

/** Label names and values of one series, in declared order. */
export type LabelPairs = readonly (readonly [name: string, value: string])[];

export const overflowLabels: LabelPairs = [["otel_metric_overflow", "true"]];

const labelValueMax = 256; // characters; longer is a payload, not a label

interface Series<S> {
  readonly labels: LabelPairs;
  readonly series: S;
}

export class SeriesFamily<S, L extends string> implements MetricFamily<S, L> {
  readonly #options: FamilyOptions<S>;
  readonly #series = new Map<string, Series<S>>();
  #overflow: S | undefined;

  constructor(options: FamilyOptions<S>) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  with(...[labels]: LabelArguments<L>): S {
    return this.#resolve(labels ?? {});
  }

  /** The one series of a family that declares no labels. */
  withoutLabels(): S {
    return this.#resolve({});
  }

  /** Every series with its labels, in the order they were made; the overflow is the last. */
  *entries(): Generator<readonly [LabelPairs, S]> {
    for (const { labels, series } of this.#series.values()) yield [labels, series];
    if (this.#overflow !== undefined) yield [overflowLabels, this.#overflow];
  }

  #resolve(given: Readonly<Record<string, unknown>>): S {
    const labels = pairsOf(this.#options.labels, given);
    const key = keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    if (this.#series.size >= this.#options.seriesMax) {
      this.#options.onOverflow();
      this.#overflow ??= this.#options.create();
      return this.#overflow;
    }
    const series = this.#options.create();
    this.#series.set(key, { labels, series });
    return series;
  }
}

/** The declared labels with the values given, in declared order. */
export function pairsOf(
  names: readonly string[],
  given: Readonly<Record<string, unknown>>,
): LabelPairs {
  return names.map((name) => [name, labelValueOf(given[name])]);
}

/** Lengths in front: no value can pass for another combination's. */
export function keyOf(labels: LabelPairs): string {
  return labels.map(([, value]) => `${value.length}:${value}`).join("");
}

function labelValueOf(value: unknown): string {
  const text = isPlain(value) ? String(value) : "";
  return (text.length <= labelValueMax ? text : text.slice(0, labelValueMax)).toWellFormed();
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
