/**
 * Makes one line of what was done over and over: siblings that are the same, with the same below
 * them, such as a hundred `get` of one store, or a hundred calls that each make one.
 */

import { numberOf } from "./node-answers.ts";
import { endOf } from "./span-tree.ts";
import type { SpanNode } from "./span-tree.ts";
import type { TraceSpan } from "./trace-answer.ts";

/** One line of a waterfall: one span, or several that are the same. */
export interface SpanGroup {
  /** In the order of their start; at least one. */
  readonly spans: readonly TraceSpan[];
  /** The first of them. */
  readonly first: TraceSpan;
  readonly children: readonly SpanGroup[];
  /** Equal for what is the same and has the same below it. */
  readonly shape: number;
}

export interface FoldOptions {
  /** More siblings than this are one line. `Infinity`: never. */
  readonly sameMax: number;
}

export function foldSpans(roots: readonly SpanNode[], { sameMax }: FoldOptions): SpanGroup[] {
  const shapes = new Map<string, number>();
  const shapeOf = (text: string): number => {
    const known = shapes.get(text) ?? shapes.size;
    shapes.set(text, known);
    return known;
  };
  const fold = (nodes: readonly SpanNode[]): SpanGroup[] => {
    const groups = nodes.map(({ span, children }): SpanGroup => {
      const below = fold(children);
      const texts = below.map(({ shape, spans }) => (spans.length > 1 ? `${shape}+` : `${shape}`));
      const shape = shapeOf(JSON.stringify([...likenessOf(span), ...texts.toSorted()]));
      return { spans: [span], first: span, children: below, shape };
    });
    const alike = [...Map.groupBy(groups, ({ shape }) => shape).values()];
    return alike
      .flatMap((same) => (same.length > sameMax ? [merged(same)] : same))
      .toSorted(byStart);
  };
  return fold(roots);
}

/** What must be equal for two spans to be shown as one. */
function likenessOf({ service, name, kind, error, site, attributes }: TraceSpan): string[] {
  const place = site === undefined ? "" : `${site.file}:${site.line}`;
  const attempt = numberOf(attributes["banyan.delivery.attempt"]);
  return [service, name, kind, error?.code ?? "", place, String(attempt)];
}

/** Groups of one shape, with what is below them laid together. */
function merged(groups: readonly SpanGroup[]): SpanGroup {
  const [head] = groups;
  if (head === undefined) throw new Error("There is nothing to merge.");
  const spans = groups.flatMap((each) => each.spans).toSorted((a, b) => a.startMs - b.startMs);
  // Of one shape, so each has as many below it, and sorted by shape they stand in one order.
  const below = groups.map(({ children }) => children.toSorted((a, b) => a.shape - b.shape));
  const children = head.children.map((_, index) =>
    merged(below.flatMap((each) => each[index] ?? [])),
  );
  const { shape } = head;
  return { spans, first: spans[0] ?? head.first, children: children.toSorted(byStart), shape };
}

function byStart(a: SpanGroup, b: SpanGroup): number {
  return a.first.startMs - b.first.startMs;
}

/** The longest of a group. */
export function slowestOf({ spans, first }: SpanGroup): TraceSpan {
  return spans.reduce((slowest, each) => {
    return each.durationMs > slowest.durationMs ? each : slowest;
  }, first);
}

/** From the first start to the last end. */
export function stretchMs({ spans, first }: SpanGroup): number {
  return spans.reduce((endMs, each) => Math.max(endMs, endOf(each)), first.startMs) - first.startMs;
}
