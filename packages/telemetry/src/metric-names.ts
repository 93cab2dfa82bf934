/**
 * What a metric may be called. The rules are Prometheus's, and stricter where a name would say
 * something false: `_total` is a counter, and only a counter is `_total`.
 */

import { telemetryErrors } from "./errors.ts";
import type { MetricType } from "./metric.ts";

export interface MetricDeclaration {
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[] | undefined;
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelPattern = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const suffixesTaken = /_(?:total|bucket|count|sum|created)$/;
/** Of a gauge that is always 1 and says what it has to say with its labels. */
const infoSuffix = /_info$/;

/** @throws TELEMETRY_METRIC_INVALID */
export function assertDeclaration({ name, type, labels, buckets }: MetricDeclaration): void {
  const refuse = (reason: string): never => {
    throw telemetryErrors.TELEMETRY_METRIC_INVALID(`The metric ${name} ${reason}.`);
  };
  if (!namePattern.test(name)) {
    refuse("has a name that is not letters, digits and underscores");
  }
  if (type === "counter" && !name.endsWith("_total")) refuse("is a counter and must end in _total");
  if (type !== "counter" && suffixesTaken.test(name)) {
    refuse(`is a ${type}, but its last word means something else to a reader of metrics`);
  }
  if (type !== "gauge" && infoSuffix.test(name)) {
    refuse(`is a ${type}, and _info is the last word of a gauge that is always 1`);
  }
  for (const label of labels) {
    const reserved = label === "otel_metric_overflow" || (label === "le" && type === "histogram");
    if (!labelPattern.test(label) || reserved) refuse(`cannot have a label "${label}"`);
  }
  if (new Set(labels).size !== labels.length) refuse("names a label twice");
  if (buckets !== undefined) assertBuckets(buckets, refuse);
}

function assertBuckets(buckets: readonly number[], refuse: (reason: string) => never): void {
  const ascending = buckets.every(
    (bound, index) => Number.isFinite(bound) && (index === 0 || bound > (buckets[index - 1] ?? 0)),
  );
  if (buckets.length === 0 || buckets.length > 100 || !ascending) {
    refuse("needs 1 to 100 finite bucket bounds in ascending order");
  }
}

/** The names of all samples that a family writes; no two families may share one. */
export function sampleNamesOf({ name, type }: MetricDeclaration): string[] {
  if (type !== "histogram") return [name];
  return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
}
