/** Spans, and how they are drawn, for the tests of what draws them. No tests. */

import type { ShownTrace, TraceSpan } from "./trace-answer.ts";
import { renderTrace } from "./waterfall.ts";
import type { WaterfallOptions } from "./waterfall.ts";

/** A span of the service `shop`, at the top, from 0 to 10 ms, and what is said otherwise. */
export function span(spanId: string, fields: Partial<TraceSpan> = {}): TraceSpan {
  return {
    spanId,
    parentSpanId: undefined,
    service: "shop",
    name: `shop.${spanId}`,
    kind: "internal",
    startMs: 0,
    durationMs: 10,
    error: undefined,
    attributes: {},
    site: undefined,
    dropped: 0,
    ...fields,
  };
}

/** `src/price.ts:20`, below the folder `/app`. */
export function at(line: number, file = "/app/src/price.ts"): TraceSpan["site"] {
  return { file, line, column: 7, function: "price" };
}

export function failure(code: string, isFailure = true): TraceSpan["error"] {
  return { code, kind: "internal", message: `Because of ${code}.`, isFailure };
}

export function trace(...spans: readonly TraceSpan[]): ShownTrace {
  const durationMs = Math.max(0, ...spans.map((each) => each.startMs + each.durationMs));
  const startedAt = new Date(2026, 2, 14, 12, 0, 1, 234).toISOString();
  return { traceId: "4e".repeat(16), startedAt, durationMs, kept: "sampled", spans };
}

/** In a pipe, in the folder `/app`, twelve seconds later. */
export function draw(shown: ShownTrace, options: Partial<WaterfallOptions> = {}): string[] {
  const text = renderTrace(shown, {
    columns: 100,
    paint: (_style, part) => part,
    cwd: "/app",
    nowMs: Date.parse(shown.startedAt) + 12_000,
    all: false,
    verbose: false,
    ...options,
  });
  return text.split("\n");
}

/** The lines of the spans alone. */
export function spanLines(shown: ShownTrace, options: Partial<WaterfallOptions> = {}): string[] {
  const lines = draw(shown, options);
  const from = lines.indexOf("") + 2;
  const end = lines.indexOf("", from);
  return lines.slice(from, end === -1 ? undefined : end);
}
