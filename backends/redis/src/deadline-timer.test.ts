import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { DeadlineTimer } from "./deadline-timer.ts";

test("one that is due earlier is met in its time, though a later one came first", async () => {
  const clock = new FakeClock();
  const looks: number[] = [];
  const startMs = clock.monotonicMs();
  const timer = new DeadlineTimer(clock, (nowMs) => {
    looks.push(nowMs - startMs);
    return looks.length === 1 ? startMs + 500 : undefined;
  });
  timer.arm(startMs + 500);
  timer.arm(startMs + 100);
  timer.arm(startMs + 300);
  await clock.advance(1000);
  assert.deepEqual(looks, [100, 500]);
});
