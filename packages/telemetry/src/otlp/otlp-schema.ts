/**
 * The messages of OTLP 1 that the exporter sends, with the numbers of the published schema
 * (https://github.com/open-telemetry/opentelemetry-proto, trace/v1, metrics/v1, common/v1,
 * resource/v1, collector). Fields that it never fills are left out.
 */

import { bool, choice, double, fixed32, fixed64, id, int64, text } from "./field-types.ts";
import { MessageShape, many, one, packed, present } from "./message-shape.ts";
import type { Fields, ValueOf } from "./message-shape.ts";

type MessageOf<S> = S extends MessageShape<infer F extends Fields> ? ValueOf<F> : never;

const anyValue = new MessageShape({
  stringValue: present(1, text),
  boolValue: present(2, bool),
  intValue: present(3, int64),
  doubleValue: present(4, double),
});

const keyValue = new MessageShape({ key: one(1, text), value: one(2, anyValue) });

const resource = new MessageShape({ attributes: many(1, keyValue) });

const scope = new MessageShape({ name: one(1, text), version: one(2, text) });

const status = new MessageShape({ message: one(2, text), code: one(3, choice) });

const span = new MessageShape({
  traceId: one(1, id),
  spanId: one(2, id),
  parentSpanId: one(4, id),
  name: one(5, text),
  kind: one(6, choice),
  startTimeUnixNano: one(7, fixed64),
  endTimeUnixNano: one(8, fixed64),
  attributes: many(9, keyValue),
  status: one(15, status),
  flags: one(16, fixed32),
});

const scopeSpans = new MessageShape({ scope: one(1, scope), spans: many(2, span) });

const resourceSpans = new MessageShape({
  resource: one(1, resource),
  scopeSpans: many(2, scopeSpans),
});

/** What `TraceService/Export` takes. */
export const exportTraceRequest = new MessageShape({ resourceSpans: many(1, resourceSpans) });

const exemplar = new MessageShape({
  timeUnixNano: one(2, fixed64),
  asDouble: present(3, double),
  spanId: one(4, id),
  traceId: one(5, id),
});

const numberDataPoint = new MessageShape({
  startTimeUnixNano: one(2, fixed64),
  timeUnixNano: one(3, fixed64),
  asDouble: present(4, double),
  attributes: many(7, keyValue),
});

const histogramDataPoint = new MessageShape({
  startTimeUnixNano: one(2, fixed64),
  timeUnixNano: one(3, fixed64),
  count: one(4, fixed64),
  sum: present(5, double),
  bucketCounts: packed(6, fixed64),
  explicitBounds: packed(7, double),
  exemplars: many(8, exemplar),
  attributes: many(9, keyValue),
});

const gauge = new MessageShape({ dataPoints: many(1, numberDataPoint) });

const sum = new MessageShape({
  dataPoints: many(1, numberDataPoint),
  aggregationTemporality: one(2, choice),
  isMonotonic: one(3, bool),
});

const histogram = new MessageShape({
  dataPoints: many(1, histogramDataPoint),
  aggregationTemporality: one(2, choice),
});

const metric = new MessageShape({
  name: one(1, text),
  description: one(2, text),
  unit: one(3, text),
  gauge: present(5, gauge),
  sum: present(7, sum),
  histogram: present(9, histogram),
});

const scopeMetrics = new MessageShape({ scope: one(1, scope), metrics: many(2, metric) });

const resourceMetrics = new MessageShape({
  resource: one(1, resource),
  scopeMetrics: many(2, scopeMetrics),
});

/** What `MetricsService/Export` takes. */
export const exportMetricsRequest = new MessageShape({ resourceMetrics: many(1, resourceMetrics) });

export type OtlpAttribute = MessageOf<typeof keyValue>;
export type OtlpResourceMessage = MessageOf<typeof resource>;
export type OtlpSpan = MessageOf<typeof span>;
export type OtlpTraceRequest = MessageOf<typeof exportTraceRequest>;
export type OtlpExemplar = MessageOf<typeof exemplar>;
export type OtlpNumberDataPoint = MessageOf<typeof numberDataPoint>;
export type OtlpHistogramDataPoint = MessageOf<typeof histogramDataPoint>;
export type OtlpMetric = MessageOf<typeof metric>;
export type OtlpMetricsRequest = MessageOf<typeof exportMetricsRequest>;
