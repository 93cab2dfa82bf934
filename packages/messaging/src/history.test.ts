import { describe, test } from "node:test";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { LawRun, playHistory } from "./conformance.ts";
import type { History, Outcome, Step } from "./conformance.ts";
import { openMemoryBus } from "./memory.ts";

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("join"), group: fc.constantFrom("red", "blue") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("listen") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("leave"),
      place: fc.nat(7),
      drainMs: fc.constantFrom(0, 50),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("publish"), count: fc.integer({ min: 1, max: 10 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.nat(60) }) },
);

const outcome = fc.constantFrom<Outcome>("ok", "late", "throw", "reject", "final");

const history: fc.Arbitrary<History> = fc.record({
  steps: fc.array(step, { maxLength: 40 }),
  outcomes: fc.array(outcome, { minLength: 1, maxLength: 12 }),
});

describe("the memory bus", () => {
  test("accounts for every message in any history", async () => {
    const property = fc.asyncProperty(history, async (played) => {
      const clock = new FakeClock();
      const bus = openMemoryBus({ clock });
      const harness = {
        bus,
        told: [],
        nowMs: () => clock.monotonicMs(),
        advance: (ms: number) => clock.advance(ms),
      };
      await playHistory(new LawRun(harness, []), played);
    });
    await fc.assert(property, { seed: seedOf(), numRuns: 150 });
  });
});
