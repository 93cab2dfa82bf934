import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import {
  codePoints,
  copyJson,
  equalJson,
  FAIL,
  hasLength,
  isMultiple,
  isUnique,
} from "./json-value.ts";

test("multiples are counted in decimals, not in binary fractions", () => {
  for (const [value, of] of [
    [0.3, 0.1],
    [1.1, 0.1],
    [19.99, 0.01],
    [4.35, 0.05],
    [1e21, 3e20 / 3],
    [0, 0.7],
    [-0.6, 0.2],
    [1e-7, 1e-8],
    [2 ** 60, 2],
  ] as const) {
    assert.equal(isMultiple(value, of), true, `${value} of ${of}`);
  }
  assert.equal(isMultiple(0.35, 0.1), false);
  assert.equal(isMultiple(5e-324, 1e300), false);
});

test("any number of cents is a multiple of a cent", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (cents) => {
      assert.equal(isMultiple(cents / 100, 0.01), true);
      assert.equal(isMultiple((cents * 10 + 5) / 1000, 0.01), false);
    }),
  );
});

test("length is counted in code points", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.nat({ max: 6 }),
      fc.nat({ max: 6 }),
      (text, a, b) => {
        const length = Array.from(text).length;
        assert.equal(codePoints(text), length);
        assert.equal(hasLength(text, a, b), length >= a && length <= b);
      },
    ),
  );
});

test("a copy of JSON is equal and new", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const copy = copyJson(value, 0);
      assert.ok(equalJson(copy, value));
      assert.ok(typeof value !== "object" || value === null || copy !== value);
    }),
  );
});

test("what JSON does not know is not copied", () => {
  const none = [undefined, () => 1, Symbol("s"), 1n, Number.NaN, Infinity, new Map(), new Date(0)];
  for (const value of none) {
    assert.equal(copyJson(value, 0), FAIL);
    assert.equal(copyJson([value], 0), FAIL);
  }
  assert.deepEqual(copyJson({ a: undefined }, 0), {});
});

test("data of another realm is data", () => {
  assert.deepEqual(copyJson(runInNewContext("({ a: [1] })"), 0), { a: [1] });
});

test("items are unique by JSON equality", () => {
  assert.equal(isUnique([1, "1", true, "true", null, "null", [1], ["1"], "[1]", {}]), true);
  assert.equal(
    isUnique([
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
    false,
  );
  assert.equal(isUnique(['{"a":1}', { a: 1 }]), true);
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 8 }), (items) => {
      const pairs = items.flatMap((left, at) => items.slice(at + 1).map((right) => [left, right]));
      assert.equal(isUnique(items), !pairs.some(([left, right]) => equalJson(left, right)));
    }),
  );
});
