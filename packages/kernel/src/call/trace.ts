/** Trace context as the kernel carries it: W3C names, made only when somebody asks for it. */

import type { Random } from "../random.ts";

export interface TraceContext {
  /** 32 hex digits; one per request of the outside world. */
  readonly traceId: string;
  /** 16 hex digits; one per call. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly sampled: boolean;
  /** `tracestate`, passed on untouched. */
  readonly state?: string | undefined;
}

/** A new span below `parent`, or the root of a new trace. */
export function startSpan(parent: TraceContext | undefined, random: Random): TraceContext {
  const spanId = hexOf(random.bytes(8));
  if (parent === undefined) return { traceId: hexOf(random.bytes(16)), spanId, sampled: true };
  const { traceId, sampled, state } = parent;
  return { traceId, spanId, parentSpanId: parent.spanId, sampled, state };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
