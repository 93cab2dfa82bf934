import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { isBanyanError } from "./errors/banyan-error.ts";
import { Limiter } from "./limiter.ts";

test("at most so many run, at most so many wait, the rest is refused by name", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.nat(4),
      fc.array(fc.nat(30), { maxLength: 20 }),
      async (runningMax, waitingMax, durations) => {
        const clock = new FakeClock();
        const limiter = new Limiter({ runningMax, waitingMax, what: "jobs" });
        let running = 0;
        const order: number[] = [];
        const runs = durations.map((ms, index) =>
          limiter
            .run(async () => {
              running += 1;
              assert.ok(running <= runningMax);
              order.push(index);
              await clock.sleep(ms);
              running -= 1;
            })
            .then(
              () => "ran",
              (error: unknown) => (isBanyanError(error) ? error.code : String(error)),
            ),
        );
        assert.ok(limiter.waiting <= waitingMax);
        const taken = Math.min(durations.length, runningMax + waitingMax);
        await clock.advance(1000);
        assert.deepEqual(
          await Promise.all(runs),
          durations.map((_, index) => (index < taken ? "ran" : "CALL_LIMIT_REACHED")),
        );
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
          "first come, first served",
        );
        assert.deepEqual([limiter.running, limiter.waiting], [0, 0]);
      },
    ),
    { seed: seedOf(), numRuns: 50 },
  );
});

test("a waiter that is aborted leaves at once; a task that fails makes room", async () => {
  const clock = new FakeClock();
  const limiter = new Limiter({ runningMax: 1, waitingMax: 2, what: "jobs" });
  const failing = limiter.run(() => clock.sleep(10).then(() => Promise.reject(new Error("no"))));
  const controller = new AbortController();
  const aborted = limiter.run(() => Promise.resolve("never"), { signal: controller.signal });
  const last = limiter.run(() => Promise.resolve("last"));
  assert.equal(limiter.waiting, 2);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(aborted, reason);
  assert.equal(limiter.waiting, 1);
  await Promise.all([assert.rejects(failing, /no/), clock.advance(10)]);
  assert.equal(await last, "last");
  const late = limiter.run(() => Promise.resolve(), { signal: AbortSignal.abort(reason) });
  await assert.rejects(late, reason);
  assert.equal(limiter.running, 0);
});
