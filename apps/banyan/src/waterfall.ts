/**
 * A trace as people read it: what it was, one line for each span with a bar drawn to scale, and
 * where the time went that no span accounts for. Nothing here asks a node or writes to a terminal.
 */

import { numberOf, textOf } from "./node-answers.ts";
import { foldSpans } from "./span-folding.ts";
import { traceGaps } from "./span-gaps.ts";
import type { SpanGap } from "./span-gaps.ts";
import { isOfNode, placeText, whatText } from "./span-text.ts";
import { endOf, spanTree } from "./span-tree.ts";
import type { SpanNode } from "./span-tree.ts";
import type { Paint } from "./terminal.ts";
import { cutTo, escaped, wrapped } from "./text-table.ts";
import { agoText, durationText, whenText } from "./time-text.ts";
import type { ShownTrace, TraceSpan } from "./trace-answer.ts";
import { waterfallLines } from "./waterfall-lines.ts";

export interface WaterfallOptions {
  /** Width of the whole in characters. */
  readonly columns: number;
  readonly paint: Paint;
  /** Places in the code are told from here. */
  readonly cwd: string;
  readonly nowMs: number;
  /** A line for each span, also of those that are the same. */
  readonly all: boolean;
  /** With messages of errors, places and attributes. */
  readonly verbose: boolean;
}

/** More siblings that are the same, with the same below them, become one line. */
const sameMax = 5;
/** A call that took less is not worth the advice to take it apart. */
const partsWorthMs = 10;

export function renderTrace(trace: ShownTrace, options: WaterfallOptions): string {
  const roots = spanTree(trace.spans);
  const groups = foldSpans(roots, { sameMax: options.all ? Infinity : sameMax });
  const notes = [...failureNotes(roots, options), ...gapNotes(roots, options)];
  return [
    ...headerLines(trace, roots, options),
    "",
    ...waterfallLines(groups, options),
    ...(notes.length === 0 ? [] : ["", ...notes]),
  ].join("\n");
}

function headerLines(
  trace: ShownTrace,
  roots: readonly SpanNode[],
  { paint, nowMs, columns }: WaterfallOptions,
): string[] {
  const { traceId, spans, startedAt } = trace;
  const root = roots[0]?.span;
  const services = new Set(spans.map(({ service }) => service));
  const dropped = spans.reduce((sum, span) => sum + span.dropped, 0);
  const titleMax = columns - traceId.length - 2;
  const title = root === undefined ? "" : cutTo(whatText(root), titleMax);
  const request = root === undefined ? "" : requestText(root);
  const fits = title.length + 2 + request.length <= titleMax;
  const facts = [
    `${whenText(startedAt, nowMs)} (${agoText(startedAt, nowMs)})`,
    durationText(trace.durationMs),
    spans.length === 1 ? "1 span" : `${spans.length} spans`,
    ...(services.size > 1 ? [`${services.size} services`] : []),
    keptText(trace.kept, paint),
    ...(root?.parentSpanId === undefined ? [] : ["called from elsewhere"]),
  ];
  const head = [paint("name", escaped(traceId)), paint("strong", title)];
  if (request !== "" && fits) head.push(paint("faint", request));
  const lines = [head.join("  "), ...wrapped(facts, paint("faint", " · "), columns)];
  if (dropped > 0) {
    const words = `${dropped} more spans had no room (telemetry.traces.spansMax)`;
    lines.push(paint("warning", words));
  }
  return lines;
}

/** `POST /orders/place 200`, of a call that came over HTTP. */
function requestText({ attributes }: TraceSpan): string {
  const method = textOf(attributes["http.request.method"]);
  const status = numberOf(attributes["http.response.status_code"]);
  const parts = [method, textOf(attributes["http.route"]), status === 0 ? "" : String(status)];
  return method === "" ? "" : escaped(parts.filter((part) => part !== "").join(" "));
}

function keptText(kept: string, paint: Paint): string {
  if (kept === "error") return paint("bad", "kept because something failed");
  if (kept === "slow") return paint("warning", "kept because it was slow");
  return escaped(kept);
}

/** The failure that came first, where it is below another: what the others have failed of. */
function failureNotes(roots: readonly SpanNode[], options: WaterfallOptions): string[] {
  const failed = roots.flatMap(({ children }) => deepFailures(children));
  const [first] = failed.toSorted((a, b) => endOf(a) - endOf(b));
  if (first?.error === undefined) return [];
  const place = first.site && placeText(first.site, options.cwd);
  const code = options.paint("bad", escaped(first.error.code));
  const called = place === undefined ? "" : `, called at ${place}`;
  return [`${code} is the first failure, of ${whatText(first)}${called}`];
}

function deepFailures(nodes: readonly SpanNode[]): TraceSpan[] {
  return nodes.flatMap(({ span, children }) => {
    const below = deepFailures(children);
    return below.length === 0 && span.error !== undefined ? [span] : below;
  });
}

function gapNotes(roots: readonly SpanNode[], options: WaterfallOptions): string[] {
  const [root] = roots;
  const gaps = traceGaps(roots).map((gap) => gapText(gap, root?.span, options));
  if (gaps.length > 0 || root === undefined || root.children.length > 0) return gaps;
  if (root.span.durationMs < partsWorthMs) return [];
  const took = options.paint("strong", durationText(root.span.durationMs));
  return [
    `${took} without any span below it; a service's tools have span(name, work) to show parts`,
  ];
}

/** `412 ms without any span, between src/price.ts:20 and src/price.ts:31`. */
function gapText(gap: SpanGap, root: TraceSpan | undefined, options: WaterfallOptions): string {
  const { inside, durationMs } = gap;
  const [before, after] = [gap.before, gap.after].map((span) => span && nearText(span, options));
  const took = options.paint("strong", durationText(durationMs));
  const where = inside === root ? "" : ` in ${whatText(inside)}`;
  return `${took} without any span${where}, ${betweenText(before, after)}`;
}

function betweenText(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return `at its start, before ${after ?? "anything"}`;
  if (after === undefined) return `at its end, after ${before}`;
  return before === after ? `between two of ${before}` : `between ${before} and ${after}`;
}

/** The line of code, else what was done. */
function nearText(span: TraceSpan, { cwd }: WaterfallOptions): string {
  const site = isOfNode(span) ? undefined : span.site;
  return site === undefined ? whatText(span, span.service) : placeText(site, cwd);
}
