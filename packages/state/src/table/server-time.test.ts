import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { ServerTime } from "./server-time.ts";

/** A server whose clock is ahead of ours, and whose answers take as long as it is told. */
function remote() {
  const clock = new FakeClock();
  const world = { clock, aheadMs: 50_000, thereMs: 0, backMs: 0, asked: 0 };
  const time = new ServerTime(clock, async () => {
    world.asked += 1;
    await clock.advance(world.thereMs);
    const serverMs = clock.monotonicMs() + world.aheadMs;
    await clock.advance(world.backMs);
    return serverMs;
  });
  const isMs = (): number => clock.monotonicMs() + world.aheadMs;
  return Object.assign(world, { time, isMs });
}

test("a slow answer replaces no better one, and is asked for again", async () => {
  const world = remote();
  await world.time.measure();
  assert.deepEqual([world.time.nowMs(), world.asked], [world.isMs(), 1]);
  world.backMs = 3500; // an even way would put the server 1750 ms behind
  await world.time.measure();
  assert.equal(world.asked, 4);
  const driftMs = 3; // of 10.5 s
  assert.ok(world.isMs() - world.time.nowMs() <= driftMs);
  assert.ok(world.time.endMs(1000) - world.isMs() - 1000 <= driftMs);
});

test("however poor a reading is, nothing is over or ends too early", async () => {
  const world = remote();
  for (const [thereMs, backMs] of [
    [0, 3500],
    [3500, 0],
    [0, 40],
    [40, 0],
  ] as const) {
    Object.assign(world, { thereMs, backMs });
    const { clock, time, isMs } = { ...world, time: new ServerTime(world.clock, slow) };
    await time.measure();
    assert.ok(time.nowMs() <= isMs(), `${time.nowMs()} of ${isMs()}`);
    assert.ok(time.endMs(100) >= isMs() + 100);
    await clock.advance(0);
  }
  async function slow(): Promise<number> {
    await world.clock.advance(world.thereMs);
    const serverMs = world.isMs();
    await world.clock.advance(world.backMs);
    return serverMs;
  }
});

test("a server whose clock was set, or another one, is believed", async () => {
  const world = remote();
  await world.time.measure();
  world.aheadMs -= 20_000;
  Object.assign(world, { thereMs: 100, backMs: 100 });
  await world.time.measure();
  assert.ok(Math.abs(world.time.nowMs() - world.isMs()) <= 101);
});

test("an old reading is worth less than a fresh one", async () => {
  const world = remote();
  await world.time.measure();
  await world.clock.advance(60_000);
  world.aheadMs += 5; // the clocks part
  Object.assign(world, { thereMs: 2, backMs: 2 });
  await world.time.measure();
  const behindMs = world.isMs() - world.time.nowMs();
  assert.ok(behindMs >= 0 && behindMs <= 2, String(behindMs));
});

test("a question that fails after a slow answer leaves the slow answer", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const time = new ServerTime(clock, async () => {
    asked += 1;
    if (asked === 2) throw new Error("lost");
    await clock.advance(100);
    return 70_000;
  });
  await time.measure();
  assert.deepEqual([asked, time.isPoor, time.nowMs()], [2, true, 70_000]);
  asked = 1;
  await assert.rejects(time.measure(), /lost/);
});
