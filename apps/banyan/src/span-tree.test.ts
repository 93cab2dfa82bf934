import assert from "node:assert/strict";
import { test } from "node:test";
import { span } from "./sample-spans.test.ts";
import { extentOf, spanTree } from "./span-tree.ts";
import type { SpanNode } from "./span-tree.ts";

/** `a(b,c(d))`. */
function drawn(nodes: readonly SpanNode[]): string {
  return nodes
    .map((node) => {
      const below = drawn(node.children);
      return node.span.spanId + (below === "" ? "" : `(${below})`);
    })
    .join();
}

test("spans stand below their parents in the order of their start, however they came", () => {
  const spans = [
    span("d", { parentSpanId: "c", startMs: 4 }),
    span("c", { parentSpanId: "a", startMs: 3 }),
    span("b", { parentSpanId: "a", startMs: 1 }),
    span("a"),
  ];
  assert.equal(drawn(spanTree(spans)), "a(b,c(d))");
});

test("a parent that is elsewhere or was not kept leaves its child at the top", () => {
  const spans = [
    span("b", { parentSpanId: "lost", startMs: 2 }),
    span("c", { parentSpanId: "b", startMs: 3 }),
    span("a", { parentSpanId: "remote" }),
  ];
  assert.equal(drawn(spanTree(spans)), "a,b(c)");
});

test("spans that name each other or themselves as parents are all shown, once", () => {
  const loop = [
    span("a", { parentSpanId: "c" }),
    span("b", { parentSpanId: "a", startMs: 1 }),
    span("c", { parentSpanId: "b", startMs: 2 }),
    span("self", { parentSpanId: "self", startMs: 3 }),
  ];
  assert.equal([...drawn(spanTree(loop)).matchAll(/[abc](?!\w)|self/g)].length, 4);
  const twice = [
    span("a"),
    span("a", { startMs: 1 }),
    span("b", { parentSpanId: "a", startMs: 2 }),
  ];
  assert.equal(drawn(spanTree(twice)), "a(b),a");
});

test("the extent is from the first start to the last end", () => {
  const spans = [span("a", { startMs: -2 }), span("b", { startMs: 1, durationMs: 50 }), span("c")];
  assert.deepEqual(extentOf(spans), { startMs: -2, endMs: 51 });
  assert.deepEqual(extentOf([]), { startMs: 0, endMs: 0 });
});
