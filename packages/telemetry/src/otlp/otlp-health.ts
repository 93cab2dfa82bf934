/** How an exporter does, for the health of the node that has it. */

import type { DeliveryCounts, OtlpState } from "./delivery-record.ts";

/** How the export of spans goes, and that of metrics where they are exported. */
export interface OtlpHealth {
  /** The worse of the two. */
  readonly state: OtlpState;
  /** Taken by the receiver. */
  readonly sentSpans: number;
  /** There was no room for them in the queue, or they came after `close`. */
  readonly droppedSpans: number;
  /** Refused with their whole request, given up, or unsent at the end. */
  readonly failedSpans: number;
  /** Refused one by one. */
  readonly rejectedSpans: number;
  /** Held: waiting, being sent, or to be tried again. */
  readonly queuedSpans: number;
  /** Of both; wall clock. */
  readonly lastSuccessAtMs?: number;
  /** Of both; wall clock. */
  readonly lastFailureAtMs?: number;
  /** The reason of that failure, also when it is over. */
  readonly lastError?: string;
  readonly metrics?: OtlpMetricsHealth;
}

/** The same of data points. */
export interface OtlpMetricsHealth {
  readonly state: OtlpState;
  readonly sentPoints: number;
  /** Unsent when the next reading came. */
  readonly droppedPoints: number;
  readonly failedPoints: number;
  readonly rejectedPoints: number;
  readonly queuedPoints: number;
  readonly lastSuccessAtMs?: number;
  readonly lastFailureAtMs?: number;
  readonly lastError?: string;
}

/** Counts, and how many items are held. */
export interface DeliveryView {
  readonly counts: DeliveryCounts;
  readonly queued: number;
}

export function otlpHealth(spans: DeliveryView, points: DeliveryView | undefined): OtlpHealth {
  const { counts, queued } = spans;
  return {
    state: worse(counts.state, points?.counts.state ?? "idle"),
    sentSpans: counts.sent,
    droppedSpans: counts.dropped,
    failedSpans: counts.failed,
    rejectedSpans: counts.rejected,
    queuedSpans: queued,
    ...lastOf(points === undefined ? counts : latest(counts, points.counts)),
    ...(points === undefined ? {} : { metrics: metricsHealth(points) }),
  };
}

function metricsHealth({ counts, queued }: DeliveryView): OtlpMetricsHealth {
  return {
    state: counts.state,
    sentPoints: counts.sent,
    droppedPoints: counts.dropped,
    failedPoints: counts.failed,
    rejectedPoints: counts.rejected,
    queuedPoints: queued,
    ...lastOf(counts),
  };
}

/** The last success and the last failure of two. */
function latest(a: LastCounts, b: LastCounts): LastCounts {
  const failed = (a.lastFailureAtMs ?? -Infinity) >= (b.lastFailureAtMs ?? -Infinity) ? a : b;
  const succeeded = (a.lastSuccessAtMs ?? -Infinity) >= (b.lastSuccessAtMs ?? -Infinity) ? a : b;
  const { lastFailureAtMs, lastError } = failed;
  return { lastSuccessAtMs: succeeded.lastSuccessAtMs, lastFailureAtMs, lastError };
}

type LastCounts = Pick<DeliveryCounts, "lastSuccessAtMs" | "lastFailureAtMs" | "lastError">;
type Last = Pick<OtlpMetricsHealth, "lastSuccessAtMs" | "lastFailureAtMs" | "lastError">;

/** Absent what has not happened: this is read as JSON. */
function lastOf({ lastSuccessAtMs, lastFailureAtMs, lastError }: LastCounts): Last {
  return {
    ...(lastSuccessAtMs === undefined ? {} : { lastSuccessAtMs }),
    ...(lastFailureAtMs === undefined ? {} : { lastFailureAtMs }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}

const badness: Readonly<Record<OtlpState, number>> = { idle: 0, ok: 1, failing: 2 };

function worse(a: OtlpState, b: OtlpState): OtlpState {
  return badness[a] >= badness[b] ? a : b;
}
