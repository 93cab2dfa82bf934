import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { examineValue } from "./stored-value.ts";

test("the size is never too small, and exact where it passes the limit", () => {
  const property = fc.property(fc.jsonValue(), fc.nat(200), (value, bytesMax) => {
    const text = JSON.stringify(value);
    if (/\\u0000|\\ud[89a-f]/i.test(text)) return;
    const examined = examineValue(value, bytesMax);
    const bytes = Buffer.byteLength(text);
    assert(examined.bytes >= bytes);
    assert.equal(examined.bytes > bytesMax, bytes > bytesMax);
    assert.deepEqual(examined.value, JSON.parse(text));
  });
  fc.assert(property, { seed: seedOf(), numRuns: 1000 });
});

test("what JSON would drop is dropped, what it would change is changed", () => {
  assert.deepEqual(examineValue({ a: undefined, b: [-0] }, 1000).value, { b: [0] });
  assert.equal(Object.is(examineValue(-0, 1000).value, 0), true);
});

test("what is no JSON data is refused with its place", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["", undefined],
    ["", NaN],
    ["/0", [Infinity]],
    ["/a/1", { a: [1, undefined] }],
    ["/d", { d: new Date(0) }],
    ["/f", { f: () => 1 }],
    ["/n", { n: 1n }],
    ["/m", { m: new Map() }],
  ];
  for (const [pointer, value] of cases) {
    assert.equal(examineValue(value, 1000).issue?.pointer, pointer);
  }
});
