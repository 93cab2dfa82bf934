import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { median, pairedRatio, quantile, roundFigure, spreadOf } from "./statistics.ts";

const samples = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), {
  minLength: 1,
  maxLength: 50,
});

test("the median is the middle sample, or the mean of the two in the middle", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 9]), 3);
  assert.equal(median([7]), 7);
});

test("a quantile lies between its neighbours, by distance", () => {
  assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20);
  assert.equal(quantile([0, 10], 0.25), 2.5);
});

test("there is no figure of no samples", () => {
  assert.throws(() => median([]), /no samples/);
});

test("quantiles rise with their share and stay within the samples", () => {
  fc.assert(
    fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const value = quantile(values, share);
      assert.ok(value >= Math.min(...values) && value <= Math.max(...values));
      assert.ok(quantile(values, share / 2) <= value);
    }),
  );
});

test("figures do not depend on the order of the samples, and leave them as they are", () => {
  fc.assert(
    fc.property(samples, (values) => {
      const before = [...values];
      assert.deepEqual(spreadOf(values), spreadOf(values.toReversed()));
      assert.deepEqual(values, before);
    }),
  );
});

test("what slows both down in the same round does not change the ratio", () => {
  const slowdowns = [1, 5, 1, 3, 40];
  const ours = slowdowns.map((slowdown) => 200 / slowdown);
  const theirs = slowdowns.map((slowdown) => 100 / slowdown);
  assert.equal(pairedRatio(ours, theirs), 2);
});

test("series of different lengths are not compared", () => {
  assert.throws(() => pairedRatio([1, 2], [1]), /cannot be paired/);
});

test("figures keep four digits", () => {
  assert.equal(roundFigure(1_234_567), 1_235_000);
  assert.equal(roundFigure(0.000123456), 0.0001235);
});
