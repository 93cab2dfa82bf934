import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom, systemRandom } from "./random.ts";

test("a seed always gives the same numbers, evenly spread", () => {
  const [one, two] = [createSeededRandom(42), createSeededRandom(42)];
  const drawn = Array.from({ length: 10_000 }, () => one.next());
  assert.deepEqual(
    drawn,
    Array.from({ length: 10_000 }, () => two.next()),
  );
  assert.ok(drawn.every((number) => number >= 0 && number < 1));
  const mean = drawn.reduce((sum, number) => sum + number, 0) / drawn.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `the mean is ${mean}`);
  assert.notDeepEqual(createSeededRandom(43).bytes(8), createSeededRandom(42).bytes(8));
});

test("bytes have the length asked for", () => {
  for (const random of [systemRandom, createSeededRandom(7)]) {
    assert.equal(random.bytes(0).length, 0);
    assert.equal(random.bytes(1000).length, 1000);
    assert.ok(new Set(random.bytes(1000)).size > 100);
    assert.ok(random.next() < 1);
  }
});
