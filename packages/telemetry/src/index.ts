/** The users' door of telemetry: log, metrics, trace context. */

export { LogLevel, createLog, isLogLevel } from "./log.ts";
export type { LevelledLog, LogOptions } from "./log.ts";
export { formatJson, formatPretty } from "./log-format.ts";
export type { LogFormat, LogRecord, PrettyOptions, PrettyStyle } from "./log-format.ts";
export { createLineWriter } from "./line-writer.ts";
export type { LineWriter, LineWriterOptions } from "./line-writer.ts";

export { createMetrics, durationBuckets } from "./metrics.ts";
export type {
  HistogramOptions,
  MetricOptions,
  Metrics,
  MetricsOptions,
  Observation,
  ObserveOptions,
  ReadValues,
} from "./metrics.ts";
export type { CallSite, KeepReason, SpanError, SpanRecord, SpanSink } from "./span.ts";
export type { Counter, Exemplar, Gauge, Histogram, LabelsOf, MetricFamily } from "./metric.ts";
export type { ExposedFamily, ExpositionFormat } from "./exposition.ts";

export { formatTraceparent, parseTraceparent, parseTracestate } from "./trace-context.ts";
export type { RemoteTrace } from "./trace-context.ts";
