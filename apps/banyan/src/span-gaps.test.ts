import assert from "node:assert/strict";
import { test } from "node:test";
import { span } from "./sample-spans.test.ts";
import { longestGap, traceGaps } from "./span-gaps.ts";
import type { SpanGap } from "./span-gaps.ts";
import { spanTree } from "./span-tree.ts";
import type { TraceSpan } from "./trace-answer.ts";

function told(gap: SpanGap | undefined): unknown {
  return gap && [gap.inside.spanId, gap.before?.spanId, gap.durationMs, gap.after?.spanId];
}

function rootGap(...spans: readonly TraceSpan[]): unknown {
  const [root] = spanTree(spans);
  return root && told(longestGap(root));
}

const child = (spanId: string, startMs: number, durationMs: number): TraceSpan =>
  span(spanId, { parentSpanId: "a", startMs, durationMs });
const handler = (spanId: string, startMs: number, durationMs: number): TraceSpan => ({
  ...child(spanId, startMs, durationMs),
  kind: "consumer",
});

const root = span("a", { durationMs: 100 });

test("the longest stretch without a child is told with what was before and after it", () => {
  assert.deepEqual(rootGap(root, child("b", 5, 10), child("c", 70, 25)), ["a", "b", 55, "c"]);
  assert.deepEqual(rootGap(root, child("b", 60, 40)), ["a", undefined, 60, "b"]);
  assert.deepEqual(rootGap(root, child("b", 0, 40)), ["a", "b", 60, undefined]);
});

test("of children that overlap the one counts that ended last", () => {
  const spans = [root, child("b", 0, 50), child("c", 10, 5), child("d", 80, 20)];
  assert.deepEqual(rootGap(...spans), ["a", "b", 30, "d"]);
});

test("a gap that is no part worth speaking of is none, nor is one of zero time", () => {
  assert.equal(rootGap(root, child("b", 4, 92)), undefined);
  assert.equal(rootGap(root, child("b", 0, 100)), undefined);
  assert.equal(rootGap(span("a", { durationMs: 0 }), child("b", 0, 0)), undefined);
  assert.equal(rootGap(root), undefined);
});

test("children outside of their parent's time count as far as they are in it", () => {
  assert.deepEqual(rootGap(root, child("b", -20, 30), child("c", 90, 500)), ["a", "b", 80, "c"]);
  assert.deepEqual(rootGap(root, child("b", -20, 10), child("c", 300, 5)), [
    "a",
    undefined,
    100,
    undefined,
  ]);
});

test("a handler of an event, and what a store does within, fill no gap and have none", () => {
  const event = handler("h", 20, 75);
  assert.deepEqual(rootGap(root, child("b", 0, 10), event), ["a", "b", 90, undefined]);
  const store = span("a", { durationMs: 100, kind: "client" });
  assert.equal(rootGap(store, child("b", 0, 10)), undefined);
});

test("longer gaps of other spans are told too, the longest first", () => {
  const spans = [
    root,
    child("b", 10, 85),
    span("c", { parentSpanId: "b", startMs: 10, durationMs: 5 }),
    span("d", { parentSpanId: "b", startMs: 75, durationMs: 5 }),
    handler("late", 200, 40),
    span("e", { parentSpanId: "late", startMs: 210, durationMs: 2 }),
  ];
  assert.deepEqual(traceGaps(spanTree(spans)).map(told), [
    ["b", "c", 60, "d"],
    ["late", "e", 28, undefined],
    ["a", undefined, 10, "b"],
  ]);
  assert.deepEqual(traceGaps([]), []);
  const tiny = [
    root,
    child("b", 0, 99),
    span("c", { parentSpanId: "b", startMs: 3, durationMs: 96 }),
  ];
  assert.deepEqual(traceGaps(spanTree(tiny)), [], "three hundredths of the trace are nothing");
});
