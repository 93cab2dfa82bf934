/** A span as it is kept: what happened, when, where in its trace, and how it ended. */

import type { BanyanError } from "@banyan/kernel";
import type { SpanAttributes, SpanKind } from "@banyan/kernel/internal";

/** Why a trace is kept: it was drawn, something in it failed, or it was slow. */
export type KeepReason = "sampled" | "error" | "slow";

export interface SpanRecord {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** The trace came from another process: the parent is not one of ours. */
  readonly isRemote: boolean;
  /** The service of the node to whose work it belongs. */
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Wall clock, milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly durationMs: number;
  /** How it failed; `undefined` when it did not. */
  readonly error: SpanError | undefined;
  readonly attributes: SpanAttributes;
  /** Place in the code that asked for it: `src/order.ts:41`. Of sampled traces. */
  readonly site: CallSite | undefined;
  readonly kept: KeepReason;
  /** Spans of its trace that there was no room for; on the trace's first span here. */
  readonly dropped: number;
}

export interface SpanError {
  readonly kind: string;
  readonly code: string;
  /** Of a failure; a caller's mistake has none here, as it would quote what the caller sent. */
  readonly message: string;
  /** The node's doing, not its caller's: the span's status is an error. */
  readonly isFailure: boolean;
}

/** Where in the code something was asked for. */
export interface CallSite {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function: string | undefined;
}

/** Takes spans that are kept: the store of recent traces, an exporter. Must not throw. */
export interface SpanSink {
  add(spans: readonly SpanRecord[]): void;
}

/** The node's doing, as the status codes of HTTP tell it; a caller's mistake is none. */
export function isFailure(error: BanyanError | undefined): boolean {
  return error !== undefined && (error.http >= 500 || error.kind === "resource_exhausted");
}
