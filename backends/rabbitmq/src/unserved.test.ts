import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { Unserved } from "./unserved.ts";

function open() {
  const clock = new FakeClock();
  const unserved = new Unserved(clock, 1000);
  const fail = async (afterMs: number): Promise<void> => {
    unserved.wanted();
    await clock.advance(afterMs);
    unserved.left();
  };
  return { clock, unserved, fail };
}

test("it counts from the first wish, across those that were given up", async () => {
  const { clock, unserved, fail } = open();
  await clock.advance(5000);
  assert.equal(unserved.lastsMs, 0);
  await fail(100);
  await clock.advance(500);
  assert.equal(unserved.lastsMs, 100, "it stands still (S1)");
  await fail(100);
  assert.equal(unserved.lastsMs, 700);
  await clock.advance(1001);
  await fail(100);
  assert.equal(unserved.lastsMs, 100, "the others were too long ago (S2)");
});

test("what the server takes begins it anew", async () => {
  const { clock, unserved, fail } = open();
  await fail(100);
  unserved.served(); // too late for that one
  await clock.advance(500);
  await fail(100);
  assert.equal(unserved.lastsMs, 100);
  unserved.wanted();
  unserved.wanted();
  await clock.advance(50);
  unserved.left();
  unserved.served();
  await clock.advance(50);
  assert.equal(unserved.lastsMs, 50, "the other one still waits");
});

test("a server that came back owes nothing, unless something waits", async () => {
  const { clock, unserved, fail } = open();
  await fail(100);
  unserved.cameBack();
  await clock.advance(500);
  await fail(100);
  assert.equal(unserved.lastsMs, 100);
  unserved.wanted();
  await clock.advance(100);
  unserved.cameBack();
  assert.equal(unserved.lastsMs, 200);
});
