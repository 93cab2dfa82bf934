/** The metrics of a registry, said in OTLP: cumulative sums, gauges, histograms by bounds. */

import type { ExposedFamily } from "../exposition.ts";
import type { LabelPairs } from "../metric-family.ts";
import { Histogram } from "../metric.ts";
import type { Exemplar } from "../metric.ts";
import { scopeRoot, sdkVersion } from "./otlp-resource.ts";
import type {
  OtlpAttribute,
  OtlpExemplar,
  OtlpHistogramDataPoint,
  OtlpMetric,
  OtlpMetricsRequest,
  OtlpNumberDataPoint,
  OtlpResourceMessage,
} from "./otlp-schema.ts";
import { nanosOf } from "./unix-nano.ts";

/** What all points of one reading share. */
export interface MetricsReading {
  readonly resource: OtlpResourceMessage;
  /** Wall clock: since when sums and histograms count. */
  readonly startMs: number;
  /** Wall clock: when it was read. */
  readonly timeMs: number;
}

export interface MetricsPart {
  readonly request: OtlpMetricsRequest;
  readonly points: number;
}

/**
 * Points in one request. The largest that a point can well become (a hundred buckets with
 * exemplars, a dozen labels of 256 characters) is some 20 kB: so many of them are within 4 MiB.
 */
const pointsMax = 200;

const cumulative = 2;

/** Units by the last word of a name. */
const units: Readonly<Record<string, string>> = { seconds: "s", bytes: "By", ratio: "1" };

/** Requests for what was read, each of at most `pointsMax` points; none when there is no point. */
export function metricsRequests(
  families: readonly ExposedFamily[],
  reading: MetricsReading,
): MetricsPart[] {
  const parts: { metrics: OtlpMetric[]; points: number }[] = [];
  for (const family of families) {
    const series = [...family.series];
    while (series.length > 0) {
      let part = parts.at(-1);
      if (part === undefined || part.points >= pointsMax) {
        part = { metrics: [], points: 0 };
        parts.push(part);
      }
      const taken = series.splice(0, pointsMax - part.points);
      part.metrics.push(metricOf({ ...family, series: taken }, reading));
      part.points += taken.length;
    }
  }
  const scope = { name: scopeRoot, version: sdkVersion };
  return parts.map(({ metrics, points }) => ({
    request: {
      resourceMetrics: [{ resource: reading.resource, scopeMetrics: [{ scope, metrics }] }],
    },
    points,
  }));
}

function metricOf(family: ExposedFamily, reading: MetricsReading): OtlpMetric {
  // The suffix is Prometheus's; a receiver that speaks Prometheus puts it on again.
  const name = family.name.replace(/_total$/, "");
  const unit = units[name.slice(name.lastIndexOf("_") + 1)] ?? "";
  const head = { name, description: family.help, unit };
  switch (family.type) {
    case "counter":
      return {
        ...head,
        sum: {
          dataPoints: numberPoints(family, reading),
          aggregationTemporality: cumulative,
          isMonotonic: true,
        },
      };
    case "gauge":
      return { ...head, gauge: { dataPoints: numberPoints(family, { ...reading, startMs: 0 }) } };
    case "histogram":
      return {
        ...head,
        histogram: {
          dataPoints: histogramPoints(family, reading),
          aggregationTemporality: cumulative,
        },
      };
  }
}

/** Always doubles: a counter may count fractions, and a metric's type must not change. */
function numberPoints(
  { series }: ExposedFamily,
  { startMs, timeMs }: MetricsReading,
): OtlpNumberDataPoint[] {
  const points: OtlpNumberDataPoint[] = [];
  for (const [labels, content] of series) {
    if (content instanceof Histogram) continue;
    points.push({
      startTimeUnixNano: nanosOf(startMs),
      timeUnixNano: nanosOf(timeMs),
      asDouble: typeof content === "number" ? content : content.value,
      attributes: labelAttributes(labels),
    });
  }
  return points;
}

function histogramPoints(
  { series, buckets = [] }: ExposedFamily,
  { startMs, timeMs }: MetricsReading,
): OtlpHistogramDataPoint[] {
  const points: OtlpHistogramDataPoint[] = [];
  for (const [labels, content] of series) {
    if (!(content instanceof Histogram)) continue;
    const counts = content.cumulative;
    points.push({
      startTimeUnixNano: nanosOf(startMs),
      timeUnixNano: nanosOf(timeMs),
      count: BigInt(counts.at(-1) ?? 0),
      sum: content.sum,
      // OTLP counts each bucket by itself.
      bucketCounts: counts.map((count, index) => BigInt(count - (counts[index - 1] ?? 0))),
      explicitBounds: buckets,
      exemplars: content.exemplars.flatMap((each) => (each === undefined ? [] : exemplarOf(each))),
      attributes: labelAttributes(labels),
    });
  }
  return points;
}

function exemplarOf({ trace, value, timeMs }: Exemplar): OtlpExemplar {
  const { traceId, spanId } = trace;
  return { traceId, spanId, asDouble: value, timeUnixNano: nanosOf(timeMs) };
}

function labelAttributes(labels: LabelPairs): OtlpAttribute[] {
  return labels.map(([key, value]) => ({ key, value: { stringValue: value } }));
}
