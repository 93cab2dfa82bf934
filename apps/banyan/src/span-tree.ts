/**
 * Spans as the tree that they are. What is strange stays visible: a span whose parent is not there
 * stands at the top, and of spans that name each other as parents the first one does.
 */

import type { TraceSpan } from "./trace-answer.ts";

export interface SpanNode {
  readonly span: TraceSpan;
  /** In the order of their start. */
  readonly children: readonly SpanNode[];
}

interface Growing {
  readonly span: TraceSpan;
  readonly children: Growing[];
  parent: Growing | undefined;
}

/** The spans at the top, in the order of their start, with everything below them. */
export function spanTree(spans: readonly TraceSpan[]): SpanNode[] {
  const nodes = spans
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((span): Growing => ({ span, children: [], parent: undefined }));
  const byId = new Map<string, Growing>();
  for (const node of nodes) {
    if (!byId.has(node.span.spanId)) byId.set(node.span.spanId, node);
  }
  for (const node of nodes) {
    const parent = byId.get(node.span.parentSpanId ?? "");
    if (parent !== undefined && !isBelow(parent, node)) node.parent = parent;
  }
  for (const node of nodes) node.parent?.children.push(node);
  return nodes.filter(({ parent }) => parent === undefined);
}

/** Whether `node` is `above`, or hangs below it already. */
function isBelow(node: Growing, above: Growing): boolean {
  for (let each: Growing | undefined = node; each !== undefined; each = each.parent) {
    if (each === above) return true;
  }
  return false;
}

export function endOf({ startMs, durationMs }: TraceSpan): number {
  return startMs + durationMs;
}

/** When the first span begins and the last one ends. */
export function extentOf(spans: readonly TraceSpan[]): { startMs: number; endMs: number } {
  let [startMs, endMs] = [Infinity, -Infinity];
  for (const span of spans) {
    startMs = Math.min(startMs, span.startMs);
    endMs = Math.max(endMs, endOf(span));
  }
  return spans.length === 0 ? { startMs: 0, endMs: 0 } : { startMs, endMs };
}
