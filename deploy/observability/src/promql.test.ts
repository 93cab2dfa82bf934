import assert from "node:assert/strict";
import { test } from "node:test";
import { readMentions } from "./promql.ts";

/** `a: x y`: the metric and the labels that are expected of it. */
function mentioned(expr: string): string[] {
  return readMentions(expr).map(({ metric, labels }) => [`${metric}:`, ...labels].join(" "));
}

test("metrics are told from functions, aggregations, numbers and operators", () => {
  assert.deepEqual(mentioned("a"), ["a:"]);
  assert.deepEqual(mentioned("rate(a_total[5m]) > bool 0.5"), ["a_total:"]);
  assert.deepEqual(mentioned("job:a:rate5m / 1e3 + -b ^ 2 % Inf"), ["job:a:rate5m:", "b:"]);
  assert.deepEqual(mentioned("a and b or c unless d"), ["a:", "b:", "c:", "d:"]);
  assert.deepEqual(mentioned("time() - vector(1) # sum(c)\n + by_total"), ["by_total:"]);
  assert.deepEqual(mentioned("max_over_time(rate(a[5m])[1h:1m] offset 1d)"), ["a:"]);
  assert.deepEqual(mentioned("a @ start() offset -1h30m"), ["a:"]);
  assert.deepEqual(mentioned("topk(10, a)"), ["a:"]);
});

test("labels are those that are matched, whatever their values say", () => {
  const expr = `a{x="b{y='1'}", z=~'c|\\'d', } + e{f!~\`g"\`}`;
  assert.deepEqual(mentioned(expr), ["a: x z", "e: f"]);
  const selectors = readMentions(`sum by (x) (rate(a { y = "1" } [5m])) / (b)`);
  assert.deepEqual(
    selectors.map(({ selector }) => selector),
    [`a { y = "1" }`, "b"],
  );
});

test("labels that are grouped by are expected of every metric inside, and of no other", () => {
  assert.deepEqual(mentioned("sum by (x, y) (rate(a[5m]) / b) / c"), ["a: x y", "b: x y", "c:"]);
  assert.deepEqual(mentioned("max(a) without (x) + quantile(0.9, b) by (y)"), ["a: x", "b: y"]);
  const nested = "histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))";
  assert.deepEqual(mentioned(`max by (job) (${nested})`), ["a_bucket: le job"]);
});

test("labels that are joined on are expected of both sides, those brought of the one", () => {
  assert.deepEqual(mentioned("a / on (x) b"), ["a: x", "b: x"]);
  assert.deepEqual(mentioned("a * on (x) group_left (y) b"), ["a: x", "b: x y"]);
  assert.deepEqual(mentioned("a * on (x) group_right (y) b"), ["a: x y", "b: x"]);
  assert.deepEqual(mentioned("a * ignoring (x) group_left b"), ["a:", "b:"]);
  // `/` binds stronger than `or`: c has nothing to do with x.
  assert.deepEqual(mentioned("c or a / on (x) b"), ["c:", "a: x", "b: x"]);
  assert.deepEqual(mentioned("(c or a) / on (x) b"), ["c: x", "a: x", "b: x"]);
});

test("what it cannot follow is refused", () => {
  const wrong = ["sum(", "a b", "a{x}", "a{x=1}", "a +", ")", "", "a ~ b", "sum by x (a)", "a["];
  const hidden = [`{x="1"}`, `a{__name__=~"b.*"}`, `label_replace(a, "x", "$1", "y", "")`];
  for (const expr of [...wrong, ...hidden]) {
    assert.throws(() => readMentions(expr), SyntaxError, expr);
  }
});
