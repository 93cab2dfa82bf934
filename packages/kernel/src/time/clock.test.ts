import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { systemClock } from "./clock.ts";

test("the system clock goes forward and knows the date", async () => {
  const before = systemClock.monotonicMs();
  await systemClock.sleep(1);
  assert.ok(systemClock.monotonicMs() > before);
  assert.ok(Math.abs(systemClock.nowMs() - Date.now()) < 1000);
});

test("a timer of the system clock fires once, and not when it was cancelled", async () => {
  let fired = 0;
  const cancel = systemClock.setTimer(0, () => (fired += 1));
  systemClock.setTimer(0, () => (fired += 10));
  cancel();
  cancel();
  await systemClock.sleep(5);
  assert.equal(fired, 10);
});

test("a sleeper wakes up in time, or at once with the reason it was aborted for", async () => {
  const clock = new FakeClock();
  const reason = new Error("enough");
  await assert.rejects(clock.sleep(10, { signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const slept = clock.sleep(10, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(slept, reason);
  assert.deepEqual(clock.pending, []);
  const whole = clock.sleep(10, { signal: new AbortController().signal });
  await clock.advance(10);
  await whole;
});
