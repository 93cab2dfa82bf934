/** Trace context as the kernel carries it: W3C names, made only when somebody asks for it. */

import type { BanyanError } from "../errors/banyan-error.ts";
import type { Random } from "../random.ts";

export interface TraceContext {
  /** 32 hex digits; one per request of the outside world. */
  readonly traceId: string;
  /** 16 hex digits; one per call. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  /** All of the trace is kept, here and wherever it goes. */
  readonly sampled: boolean;
  /** The trace id is random (level 2 of the recommendation), so others may sample by it. */
  readonly random?: boolean | undefined;
  /** `tracestate`, passed on untouched. */
  readonly state?: string | undefined;
}

/** What a span says of itself beside its name and its times; names follow OpenTelemetry. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Which part a span has in a conversation. */
export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

/** How the door by which a call came in describes it. Asked only when the span is kept. */
export interface SpanShape {
  readonly kind: SpanKind;
  attributes(error: BanyanError | undefined): SpanAttributes;
}

/** A new span below `parent`, or the root of a new trace. */
export function startSpan(
  parent: TraceContext | undefined,
  random: Random,
  sampled = parent?.sampled ?? false,
): TraceContext {
  const spanId = hexOf(random.bytes(8));
  if (parent === undefined)
    return { traceId: hexOf(random.bytes(16)), spanId, sampled, random: true };
  const { traceId, state } = parent;
  return { traceId, spanId, parentSpanId: parent.spanId, sampled, random: parent.random, state };
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Half the time that a Buffer takes for so few bytes. */
function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexPairs[byte] ?? "";
  return text;
}
