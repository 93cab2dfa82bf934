/**
 * The three instruments and their series.
 *
 * A series is resolved once (`family.with(labels)`) and kept by whoever counts; then counting is an
 * addition and recording is a search over a handful of bounds.
 */

import type { TraceContext } from "@banyan/kernel";
import { telemetryErrors } from "./errors.ts";

export type MetricType = "counter" | "gauge" | "histogram";

/** Values of the declared labels. Numbers and booleans are written as text. */
export type LabelsOf<L extends string> = Readonly<Record<L, string | number | boolean>>;

/** Nothing to pass where no labels are declared. */
export type LabelArguments<L extends string> = [L] extends [never] ? [] : [labels: LabelsOf<L>];

/** All series of one metric. */
export interface MetricFamily<S, L extends string> {
  readonly name: string;
  /** The series of these labels, made on first use. Keep it: this is the slow part. */
  with(...labels: LabelArguments<L>): S;
}

/** Only goes up. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** @throws TELEMETRY_VALUE_INVALID when the amount is negative or no number */
  add(amount = 1): void {
    // Written so that NaN is refused too.
    if (!(amount >= 0)) throw refused("a counter", amount);
    this.#value += amount;
  }
}

/** Goes up and down. */
export class Gauge {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  set(value: number): void {
    this.#value = value;
  }

  add(amount: number): void {
    this.#value += amount;
  }
}

/** A value that was seen, and the trace in which it was. */
export interface Exemplar {
  /** Ids alone: a call would keep its request, or the message of its event, until the next one. */
  readonly trace: TraceContext;
  readonly value: number;
  /** Wall clock, milliseconds. */
  readonly timeMs: number;
}

/**
 * How often values fell between fixed bounds, their number and their sum.
 *
 * Typed arrays on purpose: a number kept in a plain field or array is boxed anew on every change,
 * which took twice as long as all the rest (`bench/telemetry.bench.ts`).
 */
export class Histogram {
  readonly #bounds: Float64Array;
  /** One count per bound, then the count above every bound, then the sum of all values. */
  readonly #cells: Float64Array;
  /** The latest for each bound, and above all of them; made with the first one. */
  #exemplars: (Exemplar | undefined)[] | undefined = undefined;

  /** @param bounds upper bounds, ascending, each inclusive */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#cells = new Float64Array(bounds.length + 2);
  }

  get sum(): number {
    return this.#cells.at(-1) ?? 0;
  }

  get count(): number {
    return this.cumulative.at(-1) ?? 0;
  }

  /** How many values were at most each bound; the last entry is all of them. */
  get cumulative(): number[] {
    let running = 0;
    return Array.from(this.#cells.subarray(0, -1), (count) => (running += count));
  }

  /** One for each entry of `cumulative`, where there is one. */
  get exemplars(): readonly (Exemplar | undefined)[] {
    return this.#exemplars ?? [];
  }

  /**
   * Names the trace of a value that was recorded: what a reader looks at next. One for each bound
   * and second is enough; its ids are made for those alone.
   */
  exemplify(span: { readonly trace: TraceContext }, value: number, timeMs: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && !(value <= (bounds[at] ?? 0))) at += 1;
    this.#exemplars ??= Array.from({ length: bounds.length + 1 }, () => undefined);
    const age = timeMs - (this.#exemplars[at]?.timeMs ?? -Infinity);
    // A clock that was set back must not keep an old one for ever.
    if (age < 0 || age >= exemplarAgeMs) this.#exemplars[at] = { trace: span.trace, value, timeMs };
  }

  /** @throws TELEMETRY_VALUE_INVALID when the value is no number: it would spoil the sum */
  record(value: number): void {
    const bounds = this.#bounds;
    const cells = this.#cells;
    const size = bounds.length;
    let index = 0;
    // From below, one by one: calls are mostly fast, so the first comparison is mostly the last.
    while (index < size && !(value <= (bounds[index] ?? 0))) index += 1;
    // Only what is above every bound can be NaN.
    if (index === size && Number.isNaN(value)) throw refused("a histogram", value);
    cells[index] = (cells[index] ?? 0) + 1;
    cells[size + 1] = (cells[size + 1] ?? 0) + value;
  }
}

const exemplarAgeMs = 1000;

function refused(what: string, value: number): Error {
  return telemetryErrors.TELEMETRY_VALUE_INVALID(`${value} cannot be put into ${what}.`);
}
