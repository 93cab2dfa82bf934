/**
 * Watches work that is no call (store operations, publishes): one histogram, and a span where
 * traces are made.
 *
 * One small object for each operation under way, and nothing else: what does not change is worked
 * out once for each name.
 */

import { isBanyanError } from "@banyan/kernel";
import type { BanyanError, Clock, TraceContext } from "@banyan/kernel";
import { currentCallContext, toBanyanError } from "@banyan/kernel/internal";
import { OperationSpan } from "./kept-part.ts";
import type { OperationKind } from "./kept-part.ts";
import type { Histogram } from "./metric.ts";
import type { Tracer } from "./tracer.ts";

/** Told of an operation's end, once. */
export interface OperationWatch {
  /**
   * Ids for whoever carries the trace on, where the operation is a span of a sampled trace;
   * otherwise whatever is below it stands beside it.
   */
  readonly trace: TraceContext | undefined;
  ended(error?: unknown): void;
}

export interface OperationObserver {
  /** In the turn in which the operation is asked for. */
  begin(name: string): OperationWatch;
}

export interface OperationObserverOptions {
  readonly clock: Clock;
  readonly tracer: Tracer | undefined;
  /** The histogram of an operation that ended so; `undefined`: nothing is counted. */
  readonly durationOf: ((name: string, errorType: string) => Histogram) | undefined;
  readonly spanOf: (name: string) => OperationKind;
  /** Told of an operation that failed, by its name. */
  readonly failed?: FailedOperation | undefined;
}

export type FailedOperation = (name: string, error: BanyanError) => void;

/** Tells of failures and watches nothing else: an operation that ends well costs a look-up. */
export function createFailureObserver(failed: FailedOperation): OperationObserver {
  const known = new Map<string, OperationWatch>();
  return {
    begin(name) {
      let watch = known.get(name);
      if (watch === undefined) {
        watch = {
          trace: undefined,
          ended(thrown?: unknown) {
            if (thrown !== undefined) failed(name, errorOf(thrown));
          },
        };
        known.set(name, watch);
      }
      return watch;
    },
  };
}

export function createOperationObserver(options: OperationObserverOptions): OperationObserver {
  const known = new Map<string, WatchedKind>();
  const { tracer, clock } = options;
  return {
    begin(name) {
      let kind = known.get(name);
      if (kind === undefined) {
        // Names come from code: methods of a store, events of a contract.
        kind = new WatchedKind(name, options);
        known.set(name, kind);
      }
      if (tracer === undefined) return new Stopwatch(kind, clock);
      return new WatchedSpan(kind, tracer, clock);
    },
  };
}

/** What all operations of a name share. */
class WatchedKind {
  readonly span: OperationKind;
  readonly #name: string;
  readonly #durationOf: OperationObserverOptions["durationOf"];
  readonly #failed: FailedOperation | undefined;
  readonly #fine: Histogram | undefined;

  constructor(name: string, { durationOf, spanOf, failed }: OperationObserverOptions) {
    this.span = spanOf(name);
    this.#name = name;
    this.#durationOf = durationOf;
    this.#failed = failed;
    this.#fine = durationOf?.(name, "");
  }

  record(durationMs: number, error: BanyanError | undefined): void {
    const histogram = error === undefined ? this.#fine : this.#durationOf?.(this.#name, error.kind);
    histogram?.record(Math.max(0, durationMs) / 1e3);
    if (error !== undefined) this.#failed?.(this.#name, error);
  }
}

/** Counts alone. */
class Stopwatch implements OperationWatch {
  readonly trace = undefined;
  readonly #kind: WatchedKind;
  readonly #clock: Clock;
  readonly #startedMs: number;

  constructor(kind: WatchedKind, clock: Clock) {
    this.#kind = kind;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  ended(thrown?: unknown): void {
    const durationMs = this.#clock.monotonicMs() - this.#startedMs;
    this.#kind.record(durationMs, thrown === undefined ? undefined : errorOf(thrown));
  }
}

/** The span itself is what is told of its end: nothing else is made for it. */
class WatchedSpan extends OperationSpan implements OperationWatch {
  readonly #watched: WatchedKind;
  readonly #tracer: Tracer;
  readonly #clock: Clock;

  constructor(watched: WatchedKind, tracer: Tracer, clock: Clock) {
    super(watched.span, tracer.start(currentCallContext()));
    this.#watched = watched;
    this.#tracer = tracer;
    this.#clock = clock;
  }

  get trace(): TraceContext | undefined {
    return this.parent?.sampled === true ? this.ids : undefined;
  }

  ended(thrown?: unknown): void {
    const durationMs = this.#clock.monotonicMs() - this.startedMs;
    const error = thrown === undefined ? undefined : errorOf(thrown);
    this.#watched.record(durationMs, error);
    try {
      this.#tracer.end(this, error, durationMs);
    } catch {
      // A sink that throws must not make a failure of what went well.
      this.#tracer.failed();
    }
  }
}

function errorOf(thrown: unknown): BanyanError {
  return isBanyanError(thrown) ? thrown : toBanyanError(thrown);
}
