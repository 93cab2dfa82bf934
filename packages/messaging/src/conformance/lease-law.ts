/** How long a delivery is its handler's. */

import assert from "node:assert/strict";
import type { BusCheck } from "./law-check.ts";

const never = (): Promise<void> => new Promise<void>(() => undefined);

export const leaseLaw: readonly BusCheck[] = [
  {
    name: "a handler that overstays its lease is told, and its message comes again",
    async run(law) {
      const reasons: unknown[] = [];
      const spec = { name: law.name("stuck"), leaseMs: 200, concurrency: 1 };
      const { seen } = await law.subscribe(spec, ({ attempt, signal }) => {
        if (attempt > 1) return undefined;
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        return never();
      });
      await law.soon(law.bus.publish(law.message()));
      await law.until("it comes again", () => seen.length >= 2);
      const [first, second] = seen;
      const waitedMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
      assert(waitedMs >= 199, `it came again after ${waitedMs} ms`);
      assert.equal(second?.attempt, 2);
      const [reason] = reasons;
      assert(reason instanceof Error && "code" in reason, "no reason");
      assert.equal(reason.code, "MESSAGING_LEASE_EXPIRED");
    },
  },
  {
    name: "the late end of a handler that overstayed changes nothing, well or badly",
    async run(law) {
      const ends: PromiseWithResolvers<void>[] = [];
      const name = law.name("late");
      const spec = { name, leaseMs: 200, concurrency: 2 };
      const { seen } = await law.subscribe(spec, ({ attempt }) => {
        if (attempt > 1) return undefined;
        const end = Promise.withResolvers<void>();
        ends.push(end);
        return end.promise;
      });
      await law.soon(law.bus.publish(law.messages(2)));
      await law.until("both come again", () => seen.length >= 4);
      ends[0]?.resolve();
      ends[1]?.reject(new Error("late"));
      await law.quiet();
      assert.equal(seen.length, 4);
      await law.dead(name, 0);
      const status = await law.soon(law.bus.status());
      assert.equal(status.handled, 2);
    },
  },
  {
    name: "an overstayed lease is a failure, and the last one makes a dead letter",
    async run(law) {
      const name = law.name("never");
      const { seen } = await law.subscribe({ name, leaseMs: 100, retriesMax: 1 }, never);
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      assert.equal(seen.length, 2);
      assert.equal(letter?.error.code, "MESSAGING_LEASE_EXPIRED");
      assert.equal(letter.attempts, 2);
    },
  },
  {
    name: "a handler that ends in time is not aborted later",
    async run(law) {
      const signals: AbortSignal[] = [];
      const ends: (() => void)[] = [];
      // Long beside how late a busy machine is: where time is real, it must end in time there too.
      const leaseMs = 2000;
      const spec = { name: law.name("good"), leaseMs, concurrency: 1 };
      const { seen } = await law.subscribe(spec, ({ signal }) => {
        signals.push(signal);
        return new Promise<void>((resolve) => ends.push(resolve));
      });
      await law.soon(law.bus.publish(law.messages(2)));
      for (const count of [1, 2]) {
        await law.until("it runs", () => seen.length >= count);
        await law.advance(200);
        for (const end of ends.splice(0)) end();
      }
      await law.advance(leaseMs + 100);
      assert.equal(seen.length, 2, "each once");
      assert.deepEqual(
        signals.map(({ aborted }) => aborted),
        [false, false],
      );
    },
  },
];
