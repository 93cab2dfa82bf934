/**
 * The registry: every metric of a node by its name, and the text of all of them.
 *
 * I1. A name is declared once; the same declaration again gives the same family, another throws.
 * I2. Values that are read by a callback are read on `render` only. A callback that throws costs
 *     its own metric, never the text; it is counted in `telemetry_callback_failures_total`.
 */

import { telemetryErrors } from "./errors.ts";
import { chooseFormat, contentTypes, renderExposition } from "./exposition.ts";
import type { ExposedFamily, ExpositionFormat } from "./exposition.ts";
import { Counter, Gauge, Histogram } from "./metric.ts";
import type { LabelsOf, MetricFamily, MetricType } from "./metric.ts";
import { SeriesFamily, keyOf, overflowLabels, pairsOf } from "./metric-family.ts";
import type { LabelPairs } from "./metric-family.ts";
import { assertDeclaration, sampleNamesOf } from "./metric-names.ts";
import type { MetricDeclaration } from "./metric-names.ts";

export interface MetricOptions<L extends string = never> {
  /** One sentence for the reader of the metrics. */
  readonly help: string;
  /** Label names. Values must come from a small set: see `seriesMax`. */
  readonly labels?: readonly L[];
  /** Default: the registry's. */
  readonly seriesMax?: number;
}

export interface HistogramOptions<L extends string = never> extends MetricOptions<L> {
  /** Upper bounds, ascending. Default `durationBuckets`. */
  readonly buckets?: readonly number[];
}

/** A value read when somebody looks. */
export interface Observation<L extends string> {
  readonly labels: LabelsOf<L>;
  readonly value: number;
}

/** A metric whose values a callback answers. */
export interface ObserveOptions<L extends string = never> extends MetricOptions<L> {
  readonly type: "gauge" | "counter";
}

/** One number, or one per combination of labels. */
export type ReadValues<L extends string> = () => number | Iterable<Observation<L>>;

export interface MetricsOptions {
  /**
   * Series per metric before the rest is counted together. At least 1, default 1 000: what a person
   * can still look through, and a bound on what a careless label can cost.
   */
  readonly seriesMax?: number;
  /** Told once for each metric that used its series up. */
  readonly onOverflow?: ((metric: string) => void) | undefined;
}

export interface Metrics {
  counter<const L extends string = never>(
    name: string,
    options: MetricOptions<L>,
  ): MetricFamily<Counter, L>;
  gauge<const L extends string = never>(
    name: string,
    options: MetricOptions<L>,
  ): MetricFamily<Gauge, L>;
  histogram<const L extends string = never>(
    name: string,
    options: HistogramOptions<L>,
  ): MetricFamily<Histogram, L>;
  /** A metric that `read` answers on every `render`. The answer takes it away again. */
  observe<const L extends string = never>(
    name: string,
    options: ObserveOptions<L>,
    read: ReadValues<L>,
  ): () => void;
  /**
   * Work to be done before the metrics are read, for values that cannot be read at once; awaited by
   * `prepared` and `respond`. One that fails is counted like a failed callback. The answer takes it
   * away again.
   */
  prepare(what: string, work: () => Promise<void>): () => void;
  /** Does what `prepare` was told. Never rejects. */
  prepared(): Promise<void>;
  /** All metrics as data, in the order of their declaration. */
  read(): ExposedFamily[];
  /** All metrics as text. Default: Prometheus text 0.0.4. */
  render(format?: ExpositionFormat): string;
  /** The text in the form an `Accept` header asks for, after what `prepare` was told. */
  respond(
    accept: string | undefined,
  ): Promise<{ readonly contentType: string; readonly body: string }>;
}

/**
 * Seconds, as OpenTelemetry's conventions advise for HTTP and RPC durations.
 */
export const durationBuckets: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]);

/**
 * @example
 * const metrics = createMetrics();
 * const jobs = metrics.counter("jobs_done_total", { help: "Jobs done.", labels: ["queue"] });
 * const mails = jobs.with({ queue: "mails" });
 * mails.add();
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  return new MetricRegistry(options);
}

/** A name of the registry: what was declared, and how to read it. */
interface Entry {
  readonly declaration: MetricDeclaration;
  /** The `SeriesFamily` handed out; `undefined` for a callback's metric. */
  readonly family: unknown;
  read(): ExposedFamily;
}

class MetricRegistry implements Metrics {
  readonly #seriesMax: number;
  readonly #entries = new Map<string, Entry>();
  /** Sample name → the metric that writes it. */
  readonly #samples = new Map<string, string>();

  readonly #preparations = new Map<() => Promise<void>, string>();
  readonly #onOverflow: ((metric: string) => void) | undefined;
  readonly #overflowing = new Set<string>();

  constructor({ seriesMax = 1_000, onOverflow }: MetricsOptions) {
    this.#seriesMax = seriesMax;
    this.#onOverflow = onOverflow;
  }

  counter<const L extends string = never>(
    name: string,
    options: MetricOptions<L>,
  ): MetricFamily<Counter, L> {
    return this.#family<Counter, L>({ name, type: "counter", options, create: createCounter });
  }

  gauge<const L extends string = never>(
    name: string,
    options: MetricOptions<L>,
  ): MetricFamily<Gauge, L> {
    return this.#family<Gauge, L>({ name, type: "gauge", options, create: createGauge });
  }

  histogram<const L extends string = never>(
    name: string,
    options: HistogramOptions<L>,
  ): MetricFamily<Histogram, L> {
    const buckets = Object.freeze([...(options.buckets ?? durationBuckets)]);
    const create = (): Histogram => new Histogram(buckets);
    return this.#family<Histogram, L>({ name, type: "histogram", options, create, buckets });
  }

  observe<const L extends string = never>(
    name: string,
    options: ObserveOptions<L>,
    read: ReadValues<L>,
  ): () => void {
    const { type, help, labels = [], seriesMax = this.#seriesMax } = options;
    const declaration: MetricDeclaration = { name, type, labels };
    if (this.#entries.has(name)) throw conflict(name);
    const entry: Entry = {
      declaration,
      family: undefined,
      read: () => ({
        name,
        type,
        help,
        series: this.#observed(read(), { name, labels, seriesMax }),
      }),
    };
    this.#declare(entry);
    return () => {
      // Only what is still ours: after a first removal the name may belong to somebody else.
      if (this.#entries.get(name) === entry) this.#remove(declaration);
    };
  }

  prepare(what: string, work: () => Promise<void>): () => void {
    this.#preparations.set(work, what);
    return () => void this.#preparations.delete(work);
  }

  render(format: ExpositionFormat = "prometheus"): string {
    return renderExposition(this.read(), format);
  }

  read(): ExposedFamily[] {
    const families: ExposedFamily[] = [];
    // Reading may add one of our own metrics to the map; the walk then meets it and passes it over.
    for (const [name, entry] of this.#entries) {
      if (isOwnMetric(name)) continue;
      const family = this.#readSafely(name, entry);
      if (family !== undefined) families.push(family);
    }
    // Last, because reading the others may have counted into them.
    for (const [name, entry] of this.#entries) if (isOwnMetric(name)) families.push(entry.read());
    return families;
  }

  async prepared(): Promise<void> {
    const work = [...this.#preparations].map(async ([prepare, what]) => {
      await Promise.try(prepare).catch(() => this.#failed(what));
    });
    await Promise.all(work);
  }

  async respond(
    accept: string | undefined,
  ): Promise<{ readonly contentType: string; readonly body: string }> {
    await this.prepared();
    const format = chooseFormat(accept);
    return { contentType: contentTypes[format], body: this.render(format) };
  }

  #family<S extends Instrument, L extends string>(
    request: FamilyRequest<S, L>,
  ): MetricFamily<S, L> {
    const { name, type, options, create, buckets } = request;
    const { help, labels = [] } = options;
    const seriesMax = Math.max(1, options.seriesMax ?? this.#seriesMax);
    const declaration: MetricDeclaration = { name, type, labels, buckets };
    const known = this.#entries.get(name);
    if (known !== undefined) {
      if (!isSame(known, declaration)) throw conflict(name);
      // Equal type and labels (I1): it was made by this method with these very type arguments.
      return known.family as MetricFamily<S, L>;
    }
    const onOverflow = (): void => this.#overflowed(name);
    const family = new SeriesFamily<S, L>({ name, labels, seriesMax, create, onOverflow });
    const read = (): ExposedFamily => ({ name, type, help, buckets, series: family.entries() });
    this.#declare({ declaration, family, read });
    // A metric without labels is there from the start, at 0: a rate needs a first point.
    if (labels.length === 0) family.withoutLabels();
    return family;
  }

  #declare(entry: Entry): void {
    const { declaration } = entry;
    assertDeclaration(declaration);
    for (const sample of sampleNamesOf(declaration)) {
      const owner = this.#samples.get(sample);
      if (owner !== undefined) throw conflict(declaration.name, owner);
    }
    for (const sample of sampleNamesOf(declaration)) this.#samples.set(sample, declaration.name);
    this.#entries.set(declaration.name, entry);
  }

  #remove(declaration: MetricDeclaration): void {
    this.#entries.delete(declaration.name);
    for (const sample of sampleNamesOf(declaration)) this.#samples.delete(sample);
  }

  #observed(
    values: number | Iterable<Observation<string>>,
    { name, labels, seriesMax }: { name: string; labels: readonly string[]; seriesMax: number },
  ): [LabelPairs, number][] {
    if (typeof values === "number") return [[[], values]];
    const series = new Map<string, [LabelPairs, number]>();
    let rest: number | undefined;
    for (const { labels: given, value } of values) {
      const pairs = pairsOf(labels, given);
      const key = keyOf(pairs);
      if (series.size < seriesMax || series.has(key)) series.set(key, [pairs, value]);
      else {
        rest = (rest ?? 0) + value;
        this.#overflowed(name);
      }
    }
    return [...series.values(), ...(rest === undefined ? [] : [withOverflow(rest)])];
  }

  #readSafely(name: string, entry: Entry): ExposedFamily | undefined {
    try {
      return entry.read();
    } catch {
      // Counted instead of thrown (I2): a broken callback must not blind the operator.
      this.#failed(name);
      return undefined;
    }
  }

  #failed(metric: string): void {
    this.counter(callbackFailures, {
      help: "Reads of a metric's callback that failed; the metric is missing from that text.",
      labels: ["metric"],
    })
      .with({ metric })
      .add();
  }

  #overflowed(name: string): void {
    if (!this.#overflowing.has(name)) {
      this.#overflowing.add(name);
      this.#onOverflow?.(name);
    }
    this.counter(seriesOverflows, {
      help: "Look-ups of a label combination for which the metric had no series left.",
      labels: ["metric"],
      seriesMax: Infinity,
    })
      .with({ metric: name })
      .add();
  }
}

const callbackFailures = "telemetry_callback_failures_total";
const seriesOverflows = "telemetry_series_overflows_total";

function isOwnMetric(name: string): boolean {
  return name === callbackFailures || name === seriesOverflows;
}

type Instrument = Counter | Gauge | Histogram;

interface FamilyRequest<S, L extends string> {
  readonly name: string;
  readonly type: MetricType;
  readonly options: MetricOptions<L>;
  readonly create: () => S;
  readonly buckets?: readonly number[];
}

function createCounter(): Counter {
  return new Counter();
}

function createGauge(): Gauge {
  return new Gauge();
}

function withOverflow(value: number): [LabelPairs, number] {
  return [overflowLabels, value];
}

function isSame({ declaration, family }: Entry, other: MetricDeclaration): boolean {
  const { type, labels, buckets = [] } = declaration;
  return (
    family !== undefined &&
    type === other.type &&
    String(labels) === String(other.labels) &&
    String(buckets) === String(other.buckets ?? [])
  );
}

function conflict(name: string, owner = name): Error {
  return telemetryErrors.TELEMETRY_METRIC_CONFLICT(
    `The metric ${name} clashes with ${owner}, which is declared in another way.`,
  );
}
