import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import { seedOf } from "@banyan/testbed";
import { createSampler } from "./sampler.ts";

function countKept(sampler: (nowMs: number) => boolean, calls: number, stepMs: number): number {
  let kept = 0;
  for (let call = 0; call < calls; call += 1) if (sampler(call * stepMs)) kept += 1;
  return kept;
}

test("of many traces the asked share is kept, whatever the share", () => {
  const random = createSeededRandom(seedOf());
  for (const ratio of [0.001, 0.01, 0.1, 0.5, 0.99]) {
    const calls = 200_000;
    const kept = countKept(createSampler({ ratio, perSecondMax: Infinity, random }), calls, 1);
    // Six standard deviations: a seed in a hundred million is outside.
    const spread = 6 * Math.sqrt(calls * ratio * (1 - ratio));
    assert.ok(Math.abs(kept - calls * ratio) <= spread, `${kept} of ${calls} at ${ratio}`);
  }
});

test("none of none, all of all", () => {
  const random = createSeededRandom(1);
  assert.equal(countKept(createSampler({ ratio: 0, perSecondMax: 10, random }), 1000, 1), 0);
  assert.equal(
    countKept(createSampler({ ratio: 1, perSecondMax: Infinity, random }), 1000, 1),
    1000,
  );
});

test("in no second more are kept than the bound, and a quiet second has all of it again", () => {
  const random = createSeededRandom(1);
  const sampler = createSampler({ ratio: 1, perSecondMax: 10, random });
  assert.equal(countKept(sampler, 1000, 0.9), 10);
  assert.equal(sampler(1000), true);
  assert.equal(countKept(createSampler({ ratio: 1, perSecondMax: 10, random }), 5000, 1), 50);
  assert.equal(countKept(createSampler({ ratio: 1, perSecondMax: 0, random }), 5000, 1), 0);
});

test("a bound is given out in portions, where a burst must not use it up at once", () => {
  const random = createSeededRandom(1);
  const sampler = createSampler({ ratio: 1, perSecondMax: 50, windowMs: 100, random });
  assert.equal(countKept(sampler, 99, 1), 5);
  const second = createSampler({ ratio: 1, perSecondMax: 50, windowMs: 100, random });
  assert.equal(countKept(second, 1000, 1), 50);
});
