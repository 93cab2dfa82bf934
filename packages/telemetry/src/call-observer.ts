/**
 * Watches the calls of a node: how long each operation takes, how often it fails and with which
 * kind of error, how many are in flight; and the same for event handlers, under the names of
 * messaging. What a call was part of goes to the tracer. A node without both passes `undefined` to
 * the kernel and pays nothing.
 */

import type { BanyanError, ErrorKind } from "@banyan/kernel";
import type { CallContext, CallObserver } from "@banyan/kernel/internal";
import type { Counter, Histogram } from "./metric.ts";
import type { Metrics } from "./metrics.ts";
import type { Tracer } from "./tracer.ts";

export interface CallObserverOptions {
  /** Calls in flight now: `() => runtime.inFlight`. Left out: no gauge. */
  readonly inFlight?: () => number;
  /** Bounds in seconds. Default `durationBuckets`. */
  readonly buckets?: readonly number[];
  /** Left out: no spans, no exemplars. */
  readonly tracer?: Tracer | undefined;
}

/**
 * What an alert waits for is counted from 0 on, as soon as an operation is seen: a rate needs a
 * first point, and without it the first fault would be none. Other kinds appear when they occur.
 */
const kindsFromZero: readonly ErrorKind[] = Object.freeze([
  "internal",
  "unavailable",
  "deadline_exceeded",
  "resource_exhausted",
]);

/** What is counted of one operation, or of one subscription. */
class CallSeries {
  readonly duration: Histogram;
  readonly failed: (error: BanyanError, durationMs: number) => Histogram;

  constructor(duration: Histogram, failed: CallSeries["failed"]) {
    this.duration = duration;
    this.failed = failed;
  }
}

export function createCallObserver(
  metrics: Metrics | undefined,
  options: CallObserverOptions = {},
): CallObserver {
  const { tracer } = options;
  const count = metrics === undefined ? undefined : createCounting(metrics, options);
  return tracer === undefined ? new CountingObserver(count) : new TracingObserver(tracer, count);
}

class CountingObserver implements CallObserver {
  readonly #count: Counting | undefined;

  constructor(count: Counting | undefined) {
    this.#count = count;
  }

  ended(call: CallContext, error: BanyanError | undefined, durationMs: number): void {
    // Nobody but this node's one observer writes there, and nothing else.
    const series = call.target.observed as CallSeries | undefined;
    if (series !== undefined && error === undefined) series.duration.record(durationMs / 1e3);
    else this.#count?.(call, error, durationMs);
  }
}

class TracingObserver implements CallObserver {
  readonly sample: Tracer["sample"];
  readonly sampleRemote: Tracer["sampleRemote"];
  readonly #tracer: Tracer;
  readonly #count: Counting | undefined;
  readonly #slowMs: number;

  constructor(tracer: Tracer, count: Counting | undefined) {
    this.sample = tracer.sample;
    this.sampleRemote = tracer.sampleRemote;
    this.#tracer = tracer;
    this.#count = count;
    this.#slowMs = tracer.slowMs;
  }

  began(call: CallContext): void {
    this.#tracer.began(call);
  }

  ended(call: CallContext, error: BanyanError | undefined, durationMs: number): void {
    // As above: what stands there is this observer's.
    const series = call.target.observed as CallSeries | undefined;
    // Most calls: alone, well, in time, seen before, and not drawn.
    if (error === undefined && series !== undefined && call.root === call) {
      if (call.note === undefined && durationMs < this.#slowMs && !call.sampled) {
        series.duration.record(durationMs / 1e3);
        return;
      }
    }
    const span = this.#tracer.ended(call, error, durationMs);
    const duration = this.#count?.(call, error, durationMs);
    if (span === undefined || duration === undefined) return;
    const timeMs = call.startedMs + durationMs + this.#tracer.offsetMs(call.startedMs);
    duration.exemplify(span, durationMs / 1e3, timeMs);
  }
}

type Counting = (
  call: CallContext,
  error: BanyanError | undefined,
  durationMs: number,
) => Histogram | undefined;

function createCounting(metrics: Metrics, options: CallObserverOptions): Counting {
  const operationOf = operationSeries(metrics, options);
  const handlerOf = handlerSeries(metrics, options);
  const { inFlight } = options;
  if (inFlight !== undefined) {
    const help = "Calls whose handler has not ended.";
    metrics.observe("rpc_server_active_calls", { type: "gauge", help }, inFlight);
  }
  return (call, error, durationMs) => {
    const { target } = call;
    // Nobody but this node's one observer writes there, and nothing else.
    let series = target.observed as CallSeries | undefined;
    if (series === undefined) {
      const kind = call.shape?.kind;
      // A piece of work inside a service is traced, and is no operation.
      if (kind === "internal") return undefined;
      series = kind === "consumer" ? handlerOf(call) : operationOf(call);
      target.observed = series;
    }
    if (error !== undefined) return series.failed(error, durationMs);
    series.duration.record(durationMs / 1e3);
    return series.duration;
  };
}

function operationSeries(
  metrics: Metrics,
  { buckets }: CallObserverOptions,
): (call: CallContext) => CallSeries {
  const durations = metrics.histogram("rpc_server_duration_seconds", {
    help: "How long calls took, from the pipeline's start to the handler's end.",
    labels: ["rpc_service", "rpc_method"],
    ...(buckets === undefined ? {} : { buckets }),
    seriesMax: 10_000,
  });
  const errors = metrics.counter("rpc_server_errors_total", {
    help: "Calls that ended with an error, by its kind.",
    labels: ["rpc_service", "rpc_method", "error_type"],
    seriesMax: 10_000,
  });
  return (call) => {
    const labels = labelsOf(call);
    const duration = durations.with(labels);
    const errorOf = oncePer((kind) => errors.with({ ...labels, error_type: kind }));
    for (const kind of kindsFromZero) errorOf(kind);
    return new CallSeries(duration, ({ kind }, durationMs) => {
      duration.record(durationMs / 1e3);
      errorOf(kind).add();
      return duration;
    });
  };
}

function handlerSeries(
  metrics: Metrics,
  { buckets }: CallObserverOptions,
): (call: CallContext) => CallSeries {
  const durations = metrics.histogram("messaging_process_duration_seconds", {
    help: "How long handlers of events took, by how they ended.",
    labels: ["messaging_destination_name", "messaging_consumer_group_name", "error_type"],
    ...(buckets === undefined ? {} : { buckets }),
    seriesMax: 10_000,
  });
  return (call) => {
    const { operation, shape } = call;
    const topic = shape?.attributes(undefined)["messaging.destination.name"] ?? "";
    const durationOf = oncePer((kind) =>
      durations.with({
        messaging_destination_name: topic,
        messaging_consumer_group_name: operation,
        error_type: kind,
      }),
    );
    return new CallSeries(durationOf(""), ({ kind }, durationMs) => {
      const duration = durationOf(kind);
      duration.record(durationMs / 1e3);
      return duration;
    });
  };
}

function oncePer<S extends Counter | Histogram>(make: (kind: string) => S): (kind: string) => S {
  const known = new Map<string, S>();
  return (kind) => {
    const found = known.get(kind) ?? make(kind);
    known.set(kind, found);
    return found;
  };
}

/** `greeter.greet` of `greeter` is the method `greet`. */
function labelsOf({ operation, service }: CallContext): {
  rpc_service: string;
  rpc_method: string;
} {
  const prefix = `${service}.`;
  const method = operation.startsWith(prefix) ? operation.slice(prefix.length) : operation;
  return { rpc_service: service, rpc_method: method };
}
