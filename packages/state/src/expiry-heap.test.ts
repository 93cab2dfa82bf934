import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { ExpiryHeap } from "./expiry-heap.ts";

test("items come out by time", () => {
  const property = fc.property(fc.array(fc.nat(50), { maxLength: 200 }), (times) => {
    const heap = new ExpiryHeap<{ expiresAt: number }>();
    for (const expiresAt of times) heap.push({ expiresAt });
    assert.equal(heap.nextAt, Math.min(...times));
    const out = times.map(() => heap.pop()?.expiresAt);
    assert.deepEqual(
      out,
      times.toSorted((a, b) => a - b),
    );
    assert.equal(heap.pop(), undefined);
    assert.equal(heap.size, 0);
  });
  fc.assert(property, { seed: seedOf(), numRuns: 300 });
});

test("what no longer counts does not pile up", () => {
  const heap = new ExpiryHeap<{ expiresAt: number; readonly round: number }>();
  let current = { expiresAt: 0, round: 0 };
  for (let round = 1; round <= 100_000; round += 1) {
    current = { expiresAt: round, round };
    heap.push(current);
    heap.discard((item) => item === current);
    assert(heap.size <= 1024, `${heap.size} items for one entry`);
  }
});
