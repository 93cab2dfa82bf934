import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "./fake-clock.ts";
import { seedOf } from "./seed.ts";

test("timers fire in the order of their due time, equal ones in the order set", async () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push("late"));
  clock.setTimer(10, () => fired.push("first"));
  clock.setTimer(10, () => fired.push("second"));
  clock.setTimer(31, () => fired.push("never"));
  await clock.advance(30);
  assert.deepEqual(fired, ["first", "second", "late"]);
  assert.equal(clock.monotonicMs(), 30);
});

test("any set of timers fires sorted and at its own time, whatever the steps (I1, I2, I3)", () => {
  const delays = fc.array(fc.nat(1000), { maxLength: 40 });
  const steps = fc.array(fc.nat(200), { minLength: 1, maxLength: 20 });
  const property = fc.property(delays, steps, (delaysMs, stepsMs) => {
    const clock = new FakeClock({ monotonicMs: 5 });
    const fired: { due: number; at: number; set: number }[] = [];
    for (const [set, delay] of delaysMs.entries()) {
      clock.setTimer(delay, () => fired.push({ due: 5 + delay, at: clock.monotonicMs(), set }));
    }
    for (const step of stepsMs) clock.advanceSync(step);
    const passed = 5 + stepsMs.reduce((sum, step) => sum + step, 0);
    assert.equal(clock.monotonicMs(), passed);
    const expected = delaysMs
      .map((delay, set) => ({ due: 5 + delay, at: 5 + delay, set }))
      .filter(({ due }) => due <= passed)
      .sort((a, b) => a.due - b.due || a.set - b.set);
    assert.deepEqual(fired, expected);
  });
  fc.assert(property, { seed: seedOf() });
});

test("promise chains settle between two timers (I4)", async () => {
  const clock = new FakeClock();
  const order: string[] = [];
  clock.setTimer(1, () => {
    order.push("timer 1");
    void (async () => {
      for (let depth = 0; depth < 50; depth += 1) await Promise.resolve();
      order.push("chain of timer 1");
    })();
  });
  clock.setTimer(2, () => order.push("timer 2"));
  await clock.advance(2);
  assert.deepEqual(order, ["timer 1", "chain of timer 1", "timer 2"]);
});

test("a loop of sleeps runs through in one advance", async () => {
  const clock = new FakeClock();
  const wokenAt: number[] = [];
  const loop = (async () => {
    for (let round = 0; round < 4; round += 1) {
      await clock.sleep(250);
      wokenAt.push(clock.monotonicMs());
    }
  })();
  await clock.advance(1000);
  await loop;
  assert.deepEqual(wokenAt, [250, 500, 750, 1000]);
});

test("a sleep ends with the reason of its signal and leaves no timer", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const slept = clock.sleep(1000, { signal: controller.signal });
  assert.equal(clock.pending.length, 1);
  controller.abort(new Error("enough"));
  await assert.rejects(slept, /enough/);
  assert.equal(clock.pending.length, 0);
  await assert.rejects(clock.sleep(1, { signal: controller.signal }), /enough/);
});

test("a cancelled timer does not fire, even when cancelled at its own instant", async () => {
  const clock = new FakeClock();
  let fired = 0;
  const cancel = clock.setTimer(10, () => (fired += 1));
  cancel();
  cancel();
  clock.setTimer(20, () => cancelSecond());
  const cancelSecond = clock.setTimer(20, () => (fired += 1));
  await clock.advance(100);
  assert.equal(fired, 0);
});

test("the wall clock jumps alone", async () => {
  const clock = new FakeClock({ nowMs: 1_000_000 });
  let fired = false;
  clock.setTimer(100, () => (fired = true));
  clock.jumpWallClock(-500_000);
  assert.equal(clock.nowMs(), 500_000);
  assert.equal(clock.monotonicMs(), 0);
  clock.jumpWallClock(3_600_000);
  assert.equal(fired, false);
  await clock.advance(100);
  assert.equal(fired, true);
  assert.equal(clock.nowMs(), 4_100_100);
});

test("the pending timers are listed in the order they fire", () => {
  const clock = new FakeClock();
  clock.setTimer(30, () => undefined);
  clock.setTimer(10, () => undefined, { keepAlive: true });
  assert.deepEqual(clock.pending, [
    { dueMs: 10, keepAlive: true },
    { dueMs: 30, keepAlive: false },
  ]);
});

test("advanceToNext goes to the nearest timer and says how far that was", async () => {
  const clock = new FakeClock();
  let fired = 0;
  clock.setTimer(40, () => (fired += 1));
  clock.setTimer(15, () => (fired += 1));
  assert.equal(await clock.advanceToNext(), 15);
  assert.equal(fired, 1);
  assert.equal(await clock.advanceToNext(), 25);
  await assert.rejects(clock.advanceToNext(), /No timer is pending/);
});

test("what a timer throws reaches the test, and the clock stays where it was thrown", async () => {
  const clock = new FakeClock();
  clock.setTimer(10, () => {
    throw new Error("bad timer");
  });
  clock.setTimer(20, () => undefined);
  await assert.rejects(clock.advance(50), /bad timer/);
  assert.equal(clock.monotonicMs(), 10);
  assert.equal(clock.pending.length, 1);
  await clock.advance(40);
  assert.equal(clock.monotonicMs(), 50);
});

test("misuse is named: going back, a second advance, a timer that stops time", async () => {
  const clock = new FakeClock({ monotonicMs: 10 });
  await assert.rejects(clock.advanceTo(9), /cannot go to 9 ms/);
  assert.throws(() => void clock.advance(-1), /0 or more/);
  assert.throws(() => clock.setTimer(Number.NaN, () => undefined), /NaN/);
  const first = clock.advance(5);
  await assert.rejects(clock.advance(5), /advancing already/);
  await first;
  const rearm = (): void => void clock.setTimer(0, rearm);
  rearm();
  assert.throws(() => clock.advanceSync(1), /re-arms itself/);
});
