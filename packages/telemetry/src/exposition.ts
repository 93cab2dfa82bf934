/**
 * The text a scraper reads: Prometheus text format 0.0.4, and OpenMetrics 1.0 for whoever asks.
 */

import { Histogram } from "./metric.ts";
import type { Counter, Exemplar, Gauge, MetricType } from "./metric.ts";
import type { LabelPairs } from "./metric-family.ts";

export type ExpositionFormat = "prometheus" | "openmetrics";

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** One family as it is written: instruments, or plain numbers that were read for this text. */
export interface ExposedFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly buckets?: readonly number[] | undefined;
  readonly series: Iterable<readonly [LabelPairs, Counter | Gauge | Histogram | number]>;
}

export function renderExposition(
  families: Iterable<ExposedFamily>,
  format: ExpositionFormat,
): string {
  const lines: string[] = [];
  for (const family of families) renderFamily(family, format, lines);
  if (format === "openmetrics") lines.push("# EOF");
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/**
 * Which form an `Accept` header asks for. OpenMetrics only when it is named and not ranked below
 * plain text: a person with a browser gets plain text.
 */
export function chooseFormat(accept: string | undefined): ExpositionFormat {
  const openMetrics = qualityOf(accept, "application/openmetrics-text");
  const plain = qualityOf(accept, "text/plain");
  return openMetrics !== undefined && openMetrics > 0 && openMetrics >= (plain ?? 0)
    ? "openmetrics"
    : "prometheus";
}

function renderFamily(family: ExposedFamily, format: ExpositionFormat, lines: string[]): void {
  const { name, type, help, series, buckets = [] } = family;
  // OpenMetrics names a counter's family without the suffix that its samples carry.
  const shown = format === "openmetrics" ? name.replace(/_total$/, "") : name;
  lines.push(`# HELP ${shown} ${escapeHelp(help, format)}`, `# TYPE ${shown} ${type}`);
  for (const [labels, content] of series) {
    if (content instanceof Histogram) {
      renderHistogram({ name, labels, buckets, format }, content, lines);
    } else {
      const value = typeof content === "number" ? content : content.value;
      lines.push(`${name}${labelsText(labels)} ${numberText(value)}`);
    }
  }
}

interface HistogramHead {
  readonly name: string;
  readonly labels: LabelPairs;
  readonly buckets: readonly number[];
  readonly format: ExpositionFormat;
}

function renderHistogram(head: HistogramHead, histogram: Histogram, lines: string[]): void {
  const { name, labels, buckets, format } = head;
  const { cumulative, exemplars } = histogram;
  for (const [index, count] of cumulative.entries()) {
    const bound = boundText(buckets[index] ?? Infinity);
    const exemplar = format === "openmetrics" ? exemplarText(exemplars[index]) : "";
    lines.push(`${name}_bucket${labelsText([...labels, ["le", bound]])} ${count}${exemplar}`);
  }
  const all = labelsText(labels);
  lines.push(`${name}_sum${all} ${numberText(histogram.sum)}`);
  lines.push(`${name}_count${all} ${cumulative.at(-1) ?? 0}`);
}

/** Only OpenMetrics has them; plain text would be broken by one. */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  const { trace, value, timeMs } = exemplar;
  const { traceId, spanId } = trace;
  const labels = labelsText([
    ["trace_id", traceId],
    ["span_id", spanId],
  ]);
  return ` # ${labels} ${numberText(value)} ${(timeMs / 1e3).toFixed(3)}`;
}

function labelsText(labels: LabelPairs): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(",")}}`;
}

function escapeLabelValue(value: string): string {
  return value.replace(/[\\"\n]/g, (mark) => (mark === "\n" ? "\\n" : `\\${mark}`));
}

/** In plain text a quote stands for itself in help; OpenMetrics escapes it as in a label. */
function escapeHelp(help: string, format: ExpositionFormat): string {
  if (format === "openmetrics") return escapeLabelValue(help);
  return help.replace(/[\\\n]/g, (mark) => (mark === "\n" ? "\\n" : "\\\\"));
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}

/** `1.0`, not `1`: the spelling both formats agree on for a bound. */
function boundText(bound: number): string {
  return Number.isInteger(bound) && Math.abs(bound) < 1e21 ? `${bound}.0` : numberText(bound);
}

/** Quality of a media type in an `Accept` header; `undefined` when it is not named. */
function qualityOf(accept: string | undefined, type: string): number | undefined {
  for (const range of (accept ?? "").toLowerCase().split(",")) {
    const [name, ...parameters] = range.split(";").map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
  }
  return undefined;
}
