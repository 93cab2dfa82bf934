/** What the node answers of traces, narrowed field by field. */

import { numberOf, recordOf, recordsOf, textOf } from "./node-answers.ts";

/** A line of `/node/traces/list`. */
export interface TraceRow {
  readonly traceId: string;
  readonly name: string;
  readonly service: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly spans: number;
  readonly services: readonly string[];
  readonly kept: string;
  /** Code of what failed; empty when nothing did. */
  readonly error: string;
}

/** What `/node/traces/show` answers. */
export interface ShownTrace {
  readonly traceId: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly kept: string;
  readonly spans: readonly TraceSpan[];
}

export interface TraceSpan {
  readonly spanId: string;
  /** Also of a span that is not part of what the node answered. */
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  /** Since the trace's first span began. */
  readonly startMs: number;
  /** Never negative. */
  readonly durationMs: number;
  readonly error: SpanFailure | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly site: CallPlace | undefined;
  /** Spans below it that there was no room for. */
  readonly dropped: number;
}

export interface SpanFailure {
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  /** The node's doing, not its caller's. */
  readonly isFailure: boolean;
}

/** Place in the code that asked for something. */
export interface CallPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function: string;
}

type Bag = Readonly<Record<string, unknown>>;

/** The rows of `/node/traces/list`. */
export function traceRows(answer: Bag): TraceRow[] {
  return recordsOf(answer["traces"]).map((row) => ({
    traceId: textOf(row["traceId"]),
    name: textOf(row["name"]),
    service: textOf(row["service"]),
    startedAt: textOf(row["startedAt"]),
    durationMs: numberOf(row["durationMs"]),
    spans: numberOf(row["spans"]),
    services: Array.isArray(row["services"]) ? row["services"].map(textOf) : [],
    kept: textOf(row["kept"]),
    error: textOf(row["error"]),
  }));
}

export function shownTrace(answer: Bag): ShownTrace {
  return {
    traceId: textOf(answer["traceId"]),
    startedAt: textOf(answer["startedAt"]),
    durationMs: numberOf(answer["durationMs"]),
    kept: textOf(answer["kept"]),
    spans: recordsOf(answer["spans"]).map(spanOf),
  };
}

function spanOf(row: Bag): TraceSpan {
  const error = recordOf(row["error"]);
  const site = recordOf(row["site"]);
  return {
    spanId: textOf(row["spanId"]),
    parentSpanId: textOf(row["parentSpanId"]) || undefined,
    service: textOf(row["service"]),
    name: textOf(row["name"]),
    kind: textOf(row["kind"]),
    startMs: numberOf(row["startMs"]),
    durationMs: Math.max(0, numberOf(row["durationMs"])),
    error: error && {
      code: textOf(error["code"]),
      kind: textOf(error["kind"]),
      message: textOf(error["message"]),
      isFailure: error["isFailure"] === true,
    },
    attributes: recordOf(row["attributes"]) ?? {},
    site: site && {
      file: textOf(site["file"]),
      line: numberOf(site["line"]),
      column: numberOf(site["column"]),
      function: textOf(site["function"]),
    },
    dropped: numberOf(row["dropped"]),
  };
}

/** The shortest beginnings, of at least 8 digits, that tell these ids apart. */
export function shortIds(ids: readonly string[]): string[] {
  const all = new Set(ids);
  return ids.map((id) => {
    const others = [...all].filter((other) => other !== id && other.startsWith(id.slice(0, 8)));
    let length = 8;
    const isShared = (): boolean =>
      length < id.length && others.some((other) => other.startsWith(id.slice(0, length)));
    while (isShared()) length += 1;
    return id.slice(0, length);
  });
}
