/**
 * Counts the calls of a node: how long each operation takes, how often it fails and with which kind
 * of error, how many are in flight. A node without it passes `undefined` to the kernel and pays
 * nothing.
 */

import type { CallObserver } from "@banyan/kernel/internal";
import type { Counter, Histogram } from "./metric.ts";
import type { Metrics } from "./metrics.ts";

export interface CallObserverOptions {
  /** Calls in flight now: `() => runtime.inFlight`. Left out: no gauge. */
  readonly inFlight?: () => number;
  /** Bounds in seconds. Default `durationBuckets`. */
  readonly buckets?: readonly number[];
}

interface OperationSeries {
  readonly duration: Histogram;
  /** By kind of error, made when the first one comes. */
  readonly errors: Map<string, Counter>;
}

export function createCallObserver(
  metrics: Metrics,
  options: CallObserverOptions = {},
): CallObserver {
  const durations = metrics.histogram("rpc_server_duration_seconds", {
    help: "How long calls took, from the pipeline's start to the handler's end.",
    labels: ["rpc_service", "rpc_method"],
    ...(options.buckets === undefined ? {} : { buckets: options.buckets }),
  });
  const errors = metrics.counter("rpc_server_errors_total", {
    help: "Calls that ended with an error, by its kind.",
    labels: ["rpc_service", "rpc_method", "error_type"],
  });
  const { inFlight } = options;
  if (inFlight !== undefined) {
    const help = "Calls whose handler has not ended.";
    metrics.observe("rpc_server_active_calls", { type: "gauge", help }, inFlight);
  }
  const known = new Map<string, OperationSeries>();

  return {
    ended({ operation, service }, error, durationMs) {
      let series = known.get(operation);
      if (series === undefined) {
        const labels = labelsOf(operation, service);
        series = { duration: durations.with(labels), errors: new Map() };
        // Operations come from contracts, so there is a bound; it is not this map's to enforce.
        known.set(operation, series);
      }
      series.duration.record(durationMs / 1e3);
      if (error === undefined) return;
      let failures = series.errors.get(error.kind);
      if (failures === undefined) {
        failures = errors.with({ ...labelsOf(operation, service), error_type: error.kind });
        series.errors.set(error.kind, failures);
      }
      failures.add();
    },
  };
}

/** `greeter.greet` of `greeter` is the method `greet`. */
function labelsOf(operation: string, service: string): { rpc_service: string; rpc_method: string } {
  const prefix = `${service}.`;
  const method = operation.startsWith(prefix) ? operation.slice(prefix.length) : operation;
  return { rpc_service: service, rpc_method: method };
}
