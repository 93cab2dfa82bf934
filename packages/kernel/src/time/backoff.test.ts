import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { createSeededRandom } from "../random.ts";
import { backoffMs } from "./backoff.ts";

const random = createSeededRandom(1);

test("without jitter the wait doubles up to its bound", () => {
  const waits = [1, 2, 3, 4, 5, 6].map((attempt) =>
    backoffMs(attempt, random, { initialMs: 10, maxMs: 100, jitter: "none" }),
  );
  assert.deepEqual(waits, [10, 20, 40, 80, 100, 100]);
  assert.equal(backoffMs(1, random, { jitter: "none" }), 100);
  assert.equal(backoffMs(1000, random, { jitter: "none" }), 30_000);
});

test("with jitter it is a number between 0 and the bound, whatever the attempt", () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(1000), fc.nat(100_000), (attempt, initialMs, maxMs) => {
      const wait = backoffMs(attempt, random, { initialMs, maxMs });
      const bound = backoffMs(attempt, random, { initialMs, maxMs, jitter: "none" });
      assert.ok(wait >= 0 && wait <= bound && bound <= maxMs);
    }),
    { seed: seedOf() },
  );
});
