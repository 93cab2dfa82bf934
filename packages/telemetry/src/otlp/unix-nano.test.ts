import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { nanosOf } from "./unix-nano.ts";

test("a time of today keeps every nanosecond that its float has", () => {
  assert.equal(nanosOf(1_735_689_600_000), 1_735_689_600_000_000_000n);
  // One step of a float at this size, 2^-12 ms, is 244.140625 ns.
  assert.equal(nanosOf(1_735_689_600_000 + 2 ** -12), 1_735_689_600_000_000_244n);
  assert.equal(nanosOf(1_735_689_600_000 + 5 * 2 ** -12), 1_735_689_600_000_001_221n);
  assert.equal(nanosOf(0.000_001), 1n);
  assert.equal(nanosOf(1.5), 1_500_000n);
});

test("what is no time is 0, which OTLP reads as unknown", () => {
  for (const ms of [0, -1, Number.NaN, Infinity, -Infinity]) assert.equal(nanosOf(ms), 0n);
  assert.equal(nanosOf(Number.MAX_VALUE) < 2n ** 64n, true);
});

test("nanoseconds are the float's own value, rounded once", () => {
  // A float is a whole number of 2^-20 or coarser once it is past 2^32: exact in integers.
  const time = fc.double({ min: 2 ** 33, max: 2 ** 43, noNaN: true });
  fc.assert(
    fc.property(time, (ms) => {
      const scaled = BigInt(ms * 2 ** 20); // a power of two: nothing is rounded
      const exact = scaled * 1_000_000n; // in 2^-20 ns
      const difference = nanosOf(ms) * 2n ** 20n - exact;
      assert.ok(difference <= 2n ** 19n && difference >= -(2n ** 19n), `${ms}: ${difference}`);
    }),
    { seed: seedOf(), numRuns: 2000 },
  );
});
