/**
 * The stretches in which a span ran and nothing below it did. What is slow there is the code
 * between two calls, so a gap is told with the lines of the calls around it.
 */

import { endOf, extentOf } from "./span-tree.ts";
import type { SpanNode } from "./span-tree.ts";
import type { TraceSpan } from "./trace-answer.ts";

export interface SpanGap {
  /** The span in which it is. */
  readonly inside: TraceSpan;
  readonly durationMs: number;
  /** What ended last before it; `undefined`: it is at the start. */
  readonly before: TraceSpan | undefined;
  /** What began next; `undefined`: it is at the end. */
  readonly after: TraceSpan | undefined;
}

/** A smaller share, of its span or of the trace, is nothing that anybody looks for. */
const shareMin = 0.05;
/** Longer ones elsewhere, beside the one of the root. */
const othersMax = 2;

/** The longest gap of the first root, after longer ones of other spans, the longest first. */
export function traceGaps(roots: readonly SpanNode[]): SpanGap[] {
  const [root] = roots;
  if (root === undefined) return [];
  const nodes = withAllBelow(roots);
  const { startMs, endMs } = extentOf(nodes.map(({ span }) => span));
  const own = longestGap(root);
  const leastMs = Math.max(own?.durationMs ?? 0, shareMin * (endMs - startMs));
  const others = nodes
    .flatMap((node) => (node === root ? [] : (longestGap(node) ?? [])))
    .filter(({ durationMs }) => durationMs > leastMs)
    .toSorted((a, b) => b.durationMs - a.durationMs)
    .slice(0, othersMax);
  return own === undefined ? others : [...others, own];
}

function withAllBelow(nodes: readonly SpanNode[]): SpanNode[] {
  return nodes.flatMap((node) => [node, ...withAllBelow(node.children)]);
}

/** Of a span that runs code and has something below it; `undefined` where no gap is worth it. */
export function longestGap({ span, children }: SpanNode): SpanGap | undefined {
  // A store or a bus runs no code of a service.
  if (span.kind === "client" || span.kind === "producer") return undefined;
  // A handler of an event runs on its own: it says nothing of the code that published.
  const below = children.map((child) => child.span).filter(({ kind }) => kind !== "consumer");
  if (below.length === 0) return undefined;
  let reachedMs = span.startMs;
  let before: TraceSpan | undefined;
  let longest: SpanGap | undefined;
  const look = (untilMs: number, after: TraceSpan | undefined): void => {
    const durationMs = untilMs - reachedMs;
    if (durationMs <= (longest?.durationMs ?? 0)) return;
    longest = { inside: span, durationMs, before, after };
  };
  for (const child of below.toSorted((a, b) => a.startMs - b.startMs)) {
    // What begins after its parent has ended was not waited for.
    if (child.startMs >= endOf(span)) break;
    look(child.startMs, child);
    if (endOf(child) < reachedMs) continue;
    reachedMs = endOf(child);
    before = child;
  }
  look(endOf(span), undefined);
  return longest !== undefined && longest.durationMs >= shareMin * span.durationMs
    ? longest
    : undefined;
}
