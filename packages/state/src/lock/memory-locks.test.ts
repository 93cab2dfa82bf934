import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { describeLocks } from "../conformance.ts";
import { openMemoryEngine } from "../memory.ts";
import { openLocks } from "./open-locks.ts";

describeLocks({
  name: "memory",
  runs: 300,
  open: () => {
    const clock = new FakeClock();
    const engine = openMemoryEngine({ clock });
    const advance = (ms: number) => clock.advance(ms);
    return Promise.resolve({ engine, advance, close: () => engine.close() });
  },
});

test("a lock and a candidate end with their engine", async () => {
  const clock = new FakeClock();
  const engine = openMemoryEngine({ clock });
  const name = { scope: "shop", name: "nightly" };
  const locks = await openLocks(engine, { ...name, durability: "ephemeral", clock });
  const outcome = await locks.acquire();
  assert(outcome.kind === "held");
  const candidate = locks.lead(() => assert.fail("it led"));
  await engine.close();
  await clock.advance(30_000);
  await candidate.stopped;
  assert.equal(candidate.state.kind, "stopped");
  assert(isBanyanError(outcome.lock.signal.reason, "STATE_LOCK_LOST"));
  assert.equal(await outcome.lock.release(), "lost");
  await assert.rejects(locks.acquire(), (error) => isBanyanError(error, "CLOSED"));
  assert.deepEqual(clock.pending, []);
});

test("a lock that nobody takes for a month is forgotten; its numbers go on", async () => {
  const clock = new FakeClock();
  // Room for the two entries of one lock: were the old ones kept, a third lock would not fit.
  await using engine = openMemoryEngine({ clock, entriesMax: 2 });
  const name = { scope: "shop", name: "nightly" };
  const locks = await openLocks(engine, { ...name, durability: "ephemeral", clock });
  const fences: number[] = [];
  for (const key of ["a", "b", "a"]) {
    const outcome = await locks.acquire(key, { renew: false });
    assert(outcome.kind === "held");
    fences.push(outcome.lock.fence);
    await clock.advance(30 * 86_400_000);
  }
  const [first = 0, , third = 0] = fences;
  assert(third > first, `${third} after ${first}`);
});
