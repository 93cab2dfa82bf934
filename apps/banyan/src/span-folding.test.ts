import assert from "node:assert/strict";
import { test } from "node:test";
import { at, failure, span } from "./sample-spans.test.ts";
import { foldSpans, slowestOf, stretchMs } from "./span-folding.ts";
import type { SpanGroup } from "./span-folding.ts";
import { spanTree } from "./span-tree.ts";
import type { TraceSpan } from "./trace-answer.ts";

function fold(spans: readonly TraceSpan[], sameMax = 5): SpanGroup[] {
  return foldSpans(spanTree(spans), { sameMax });
}

/** `place(get x6,set)`. */
function drawn(groups: readonly SpanGroup[]): string {
  return groups
    .map(({ first, spans, children }) => {
      const count = spans.length === 1 ? "" : ` x${spans.length}`;
      return first.name + count + (children.length === 0 ? "" : `(${drawn(children)})`);
    })
    .join();
}

/** So many `get` below `a`, a millisecond each, two apart. */
function gets(count: number, fields: Partial<TraceSpan> = {}): TraceSpan[] {
  return Array.from({ length: count }, (_, n) =>
    span(`g${n}`, { parentSpanId: "a", name: "get", startMs: 2 * n, durationMs: 1, ...fields }),
  );
}

const root = span("a", { name: "place", startMs: -1, durationMs: 300 });

test("siblings that are the same become one where there are more than five", () => {
  assert.equal(drawn(fold([root, ...gets(5)])), "place(get,get,get,get,get)");
  assert.equal(drawn(fold([root, ...gets(6)])), "place(get x6)");
  assert.equal(drawn(fold([root, ...gets(100)])), "place(get x100)");
  assert.equal(drawn(fold([root, ...gets(7)], Infinity)).match(/get/g)?.length, 7);
});

test("a fold tells its first start, its last end and its slowest", () => {
  const slow = span("slow", { parentSpanId: "a", name: "get", startMs: 40, durationMs: 9 });
  const [top] = fold([root, ...gets(10), slow]);
  const [group] = top?.children ?? [];
  assert.ok(group !== undefined);
  assert.deepEqual([group.spans.length, group.first.spanId], [11, "g0"]);
  assert.deepEqual([slowestOf(group).spanId, stretchMs(group)], ["slow", 49]);
});

test("what failed, was asked elsewhere, or is another attempt stays apart", () => {
  const failed = gets(1, { error: failure("GONE"), spanId: "f", startMs: 3 });
  assert.equal(drawn(fold([root, ...gets(6), ...failed])), "place(get x6,get)");
  const elsewhere = gets(6).map((each, n) => ({ ...each, site: at(n % 2) }));
  assert.equal(drawn(fold([root, ...elsewhere])).match(/get(?! x)/g)?.length, 6);
  const tries = gets(6).map((each, n) => ({
    ...each,
    attributes: { "banyan.delivery.attempt": n + 1 },
  }));
  assert.equal(drawn(fold([root, ...tries])).match(/get(?! x)/g)?.length, 6);
});

test("the same with the same below them is folded as a whole, in whatever order it ran", () => {
  const calls = gets(8, { name: "call" }).flatMap((call, n) => {
    const below = { parentSpanId: call.spanId, durationMs: 0.2 };
    return [
      call,
      span(`x${n}`, { ...below, name: "read", startMs: call.startMs + (n % 2) * 0.5 }),
      span(`y${n}`, { ...below, name: "write", startMs: call.startMs + 0.25 }),
    ];
  });
  assert.equal(drawn(fold([root, ...calls])), "place(call x8(read x8,write x8))");
  const odd = span("z", { parentSpanId: "g3", name: "more", startMs: 7 });
  assert.match(drawn(fold([root, ...calls, odd])), /^place\(call x7\(read x7,write x7\),call\(/);
});

test("folds inside of folds count together", () => {
  const calls = gets(6, { name: "call" }).flatMap((call, n) => [
    call,
    ...Array.from({ length: 6 + n }, (_, m) =>
      span(`${n}-${m}`, { parentSpanId: call.spanId, name: "get", startMs: call.startMs }),
    ),
  ]);
  assert.equal(drawn(fold([root, ...calls])), "place(call x6(get x51))");
});
