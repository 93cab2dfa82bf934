import assert from "node:assert/strict";
import { test } from "node:test";
import { span } from "./sample-spans.test.ts";
import { shortIds, shownTrace, traceRows } from "./trace-answer.ts";

test("what a node answers is narrowed, also where fields are missing or strange", () => {
  const bare = shownTrace({ spans: [{}, { durationMs: -5, site: 7, error: { code: "X" } }, null] });
  const [first, second] = bare.spans;
  assert.equal(bare.spans.length, 2);
  assert.deepEqual(first, span("", { name: "", service: "", kind: "", durationMs: 0 }));
  assert.deepEqual([second?.durationMs, second?.site], [0, undefined]);
  assert.deepEqual(second?.error, { code: "X", kind: "", message: "", isFailure: false });
  assert.deepEqual(traceRows({ traces: [{ services: "a" }] })[0]?.services, []);
  assert.deepEqual(traceRows({}), []);
});

test("ids are as short as they can be told apart", () => {
  const [a, b, c] = ["aaaaaaaa01ff", "aaaaaaaa02ff", "bbbbbbbbbbbb"];
  assert.deepEqual(shortIds([a, b, c, c]), ["aaaaaaaa01", "aaaaaaaa02", "bbbbbbbb", "bbbbbbbb"]);
  assert.deepEqual(shortIds(["abc", "abcd"]), ["abc", "abcd"]);
});
