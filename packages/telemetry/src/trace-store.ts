/**
 * The traces of late, in memory: what a node shows without any other program.
 *
 * What it owns: parts of traces as they came, oldest first. Those that failed or were slow have
 * half of the room to themselves, so that a flood of ordinary ones does not push them out.
 *
 * I1. At most `partsMax` parts and `spansMax` spans are held, or one part alone; the oldest go.
 * I2. Parts of one trace (its handlers of events, what ended late) are read as one.
 */

import type { TracePart } from "./kept-part.ts";
import type { KeepReason, SpanRecord } from "./span.ts";

export interface TraceStoreOptions {
  readonly partsMax: number;
  readonly spansMax: number;
}

/** A trace in a list. */
export interface TraceSummary {
  readonly traceId: string;
  /** Its first span here: what was called. */
  readonly name: string;
  readonly service: string;
  /** Wall clock. */
  readonly startMs: number;
  /** From the first start to the last end of its spans. */
  readonly durationMs: number;
  readonly spans: number;
  /** Services it went through. */
  readonly services: readonly string[];
  readonly kept: KeepReason;
  /** Of its first span, else of the first that failed. */
  readonly errorCode: string | undefined;
}

export interface TraceQuery {
  /** Only traces that went through this service. */
  readonly service?: string | undefined;
  /** Only traces that have a span of this name. */
  readonly name?: string | undefined;
  /** Only traces that took as long, in milliseconds. */
  readonly minMs?: number | undefined;
  /** Only traces in which something failed. */
  readonly failed?: boolean | undefined;
  /** Leaves out what began in this service. */
  readonly except?: string | undefined;
  /** The newest so many. Default 20. */
  readonly limit?: number | undefined;
  /** The longest first, instead of the newest. */
  readonly slowestFirst?: boolean | undefined;
}

export class TraceStore {
  readonly #options: TraceStoreOptions;
  readonly #ordinary = new Shelf();
  readonly #notable = new Shelf();

  constructor(options: TraceStoreOptions) {
    this.#options = options;
  }

  /** Parts of traces that are held. */
  get size(): number {
    return this.#ordinary.size + this.#notable.size;
  }

  get spanCount(): number {
    return this.#ordinary.spans + this.#notable.spans;
  }

  add(part: TracePart): void {
    (part.isNotable ? this.#notable : this.#ordinary).push(part);
    const { partsMax, spansMax } = this.#options;
    const [mine, other] = part.isNotable
      ? [this.#notable, this.#ordinary]
      : [this.#ordinary, this.#notable];
    while (this.size > 1 && (this.size > partsMax || this.spanCount > spansMax)) {
      const isFull = mine.size > partsMax / 2 || mine.spans > spansMax / 2;
      // Never the newest: it would be gone before anybody could look.
      if (mine.size > 1 && (isFull || other.size === 0)) mine.shift();
      else if (other.size > 0) other.shift();
      else mine.shift();
    }
  }

  /** Newest first, unless the slowest are asked for. */
  list(query: TraceQuery = {}): TraceSummary[] {
    const { service, name, minMs = 0, failed, limit = 20, slowestFirst, except } = query;
    const found = [...this.#traces().values()]
      .filter(
        (spans) =>
          (service === undefined || spans.some((span) => span.service === service)) &&
          (name === undefined || spans.some((span) => span.name === name)) &&
          (failed !== true || spans.some(({ error }) => error !== undefined)),
      )
      .map(summaryOf)
      .filter((trace) => trace.durationMs >= minMs && trace.service !== except);
    found.sort(slowestFirst === true ? byDuration : byStart);
    return found.slice(0, limit);
  }

  /** All spans of a trace by their start; an unambiguous beginning of its id will do. */
  get(id: string): SpanRecord[] | undefined {
    const traces = this.#traces();
    const spans = traces.get(id) ?? traces.get(this.#onlyIdFrom(id, traces) ?? "");
    return spans?.toSorted((a, b) => a.startMs - b.startMs);
  }

  /** Ids that begin so. */
  idsFrom(prefix: string): string[] {
    if (prefix === "") return [];
    return [...this.#traces().keys()].filter((id) => id.startsWith(prefix));
  }

  #onlyIdFrom(prefix: string, traces: ReadonlyMap<string, SpanRecord[]>): string | undefined {
    if (prefix === "") return undefined;
    const ids = [...traces.keys()].filter((id) => id.startsWith(prefix));
    return ids.length === 1 ? ids[0] : undefined;
  }

  /** I2. */
  #traces(): Map<string, SpanRecord[]> {
    const traces = new Map<string, SpanRecord[]>();
    for (const shelf of [this.#ordinary, this.#notable]) {
      for (const { spans } of shelf.parts()) {
        for (const span of spans) {
          const known = traces.get(span.traceId);
          if (known === undefined) traces.set(span.traceId, [span]);
          else known.push(span);
        }
      }
    }
    return traces;
  }
}

/** Parts in the order in which they came; the oldest leave without moving the others each time. */
class Shelf {
  spans = 0;
  #parts: TracePart[] = [];
  #first = 0;

  get size(): number {
    return this.#parts.length - this.#first;
  }

  parts(): readonly TracePart[] {
    return this.#parts.slice(this.#first);
  }

  push(part: TracePart): void {
    this.#parts.push(part);
    this.spans += part.count;
  }

  shift(): void {
    const oldest = this.#parts[this.#first];
    if (oldest === undefined) return;
    this.spans -= oldest.count;
    this.#first += 1;
    // Half of the list is behind us: what left is let go.
    if (this.#first * 2 > this.#parts.length) {
      this.#parts = this.#parts.slice(this.#first);
      this.#first = 0;
    }
  }
}

function summaryOf(spans: readonly SpanRecord[]): TraceSummary {
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  const first = rootOf(spans);
  const failed = first.error ?? spans.find(({ error }) => error !== undefined)?.error;
  return {
    traceId: first.traceId,
    name: first.name,
    service: first.service,
    startMs,
    durationMs: endMs - startMs,
    spans: spans.length,
    services: [...new Set(spans.map(({ service }) => service))],
    kept: spans.find(({ kept }) => kept !== "sampled")?.kept ?? first.kept,
    errorCode: failed?.code,
  };
}

/** The one without a parent here; of several the one that began first. */
function rootOf(spans: readonly SpanRecord[]): SpanRecord {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(
    ({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId),
  );
  const [first] = (roots.length === 0 ? spans : roots).toSorted((a, b) => a.startMs - b.startMs);
  if (first === undefined) throw new Error("A trace has a span.");
  return first;
}

function byStart(a: TraceSummary, b: TraceSummary): number {
  return b.startMs - a.startMs;
}

function byDuration(a: TraceSummary, b: TraceSummary): number {
  return b.durationMs - a.durationMs;
}
