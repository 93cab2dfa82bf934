import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import type { WheelEntry } from "./timing-wheel.ts";
import { TimingWheel } from "./timing-wheel.ts";

const tickMs = 16;
const turnMs = 512 * tickMs;

class Entry implements WheelEntry {
  readonly id: number;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(id: number, deadlineMs: number) {
    this.id = id;
    this.deadlineMs = deadlineMs;
  }
}

type Step =
  | { readonly kind: "add"; readonly inMs: number }
  | { readonly kind: "remove"; readonly which: number }
  | { readonly kind: "move"; readonly which: number; readonly inMs: number }
  | { readonly kind: "advance"; readonly ms: number };

const delay = fc.oneof(
  fc.nat(40),
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.integer({ min: -20, max: 3 * turnMs }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), inMs: delay }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("move" as const), which: fc.nat(), inMs: delay }),
  fc.record({
    kind: fc.constant("advance" as const),
    ms: fc.oneof(fc.nat(50), fc.double({ min: 0, max: 20, noNaN: true }), fc.nat(turnMs * 2)),
  }),
);

test("what waits expires once, never early, at most one tick late", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100_000), (steps, startMs) => {
      const clock = new FakeClock({ monotonicMs: startMs });
      /** The naive model: who waits, until when, and since when. */
      const waiting = new Map<Entry, { deadlineMs: number; addedMs: number }>();
      const known: Entry[] = [];
      const wheel = new TimingWheel<Entry>(clock, (entry) => {
        const model = waiting.get(entry);
        assert(model !== undefined, "it expired though nobody waits for it");
        const now = clock.monotonicMs();
        assert.ok(now >= model.deadlineMs, `early: ${now} < ${model.deadlineMs}`);
        assert.ok(now <= Math.max(model.deadlineMs, model.addedMs) + tickMs, "late");
        waiting.delete(entry);
      });
      const place = (entry: Entry, inMs: number): void => {
        const addedMs = clock.monotonicMs();
        // A deadline belongs to a waiting entry only between two placings.
        wheel.remove(entry);
        entry.deadlineMs = addedMs + inMs;
        wheel.add(entry);
        waiting.set(entry, { deadlineMs: entry.deadlineMs, addedMs });
      };
      for (const each of steps) {
        if (each.kind === "advance") clock.advanceSync(each.ms);
        else if (each.kind === "add") {
          const entry = new Entry(known.length, 0);
          known.push(entry);
          place(entry, each.inMs);
        } else {
          const entry = known[each.which % Math.max(1, known.length)];
          if (entry === undefined) continue;
          if (each.kind === "move") place(entry, each.inMs);
          else {
            wheel.remove(entry);
            waiting.delete(entry);
          }
        }
        assert.equal(wheel.size, waiting.size);
        for (const [entry, { deadlineMs, addedMs }] of waiting) {
          const latest = Math.max(deadlineMs, addedMs) + tickMs;
          assert.ok(clock.monotonicMs() <= latest, `${entry.id} should have expired`);
        }
      }
      clock.advanceSync(4 * turnMs);
      assert.equal(waiting.size, 0);
      assert.deepEqual(clock.pending, [], "no entries, no timer (I3)");
    }),
    { seed: seedOf(), numRuns: 300 },
  );
});

test("an expiry may remove and move others of its slot, and add new ones", async () => {
  const clock = new FakeClock();
  const expired: number[] = [];
  const [first, removed, moved] = [new Entry(1, 10), new Entry(2, 10), new Entry(3, 10)];
  const wheel = new TimingWheel<Entry>(clock, (entry) => {
    expired.push(entry.id);
    if (entry !== first) return;
    wheel.remove(removed);
    wheel.remove(moved);
    moved.deadlineMs = 10 + turnMs; // the same slot, a turn later
    wheel.add(moved);
    wheel.add(new Entry(4, 10)); // overdue already
  });
  // The list of a slot is walked from the newest on.
  for (const entry of [removed, moved, first]) wheel.add(entry);
  await clock.advance(16);
  assert.deepEqual(expired, [1]);
  await clock.advance(16);
  assert.deepEqual(expired, [1, 4]);
  await clock.advance(turnMs - 32);
  assert.deepEqual(expired, [1, 4]);
  await clock.advance(32);
  assert.deepEqual(expired, [1, 4, 3]);
});

test("adding what waits already moves it, and removing what does not wait is nothing", async () => {
  const clock = new FakeClock();
  const expired: number[] = [];
  const wheel = new TimingWheel<Entry>(clock, ({ id }) => expired.push(id));
  const entry = new Entry(1, 20);
  wheel.add(entry);
  wheel.add(entry);
  assert.equal(wheel.size, 1);
  await clock.advance(100);
  assert.deepEqual(expired, [1]);
  wheel.remove(entry);
  assert.equal(wheel.size, 0);
});

test("a loop that was blocked for many turns expires everything due, once", () => {
  // A timer that fires late, as a blocked event loop makes it.
  let now = 0;
  let fire = (): void => undefined;
  const clock = {
    nowMs: () => now,
    monotonicMs: () => now,
    setTimer: (_: number, run: () => void) => {
      fire = run;
      return () => undefined;
    },
    sleep: () => Promise.resolve(),
  };
  const expired: number[] = [];
  const wheel = new TimingWheel<Entry>(clock, ({ id }) => expired.push(id));
  for (let id = 0; id < 1000; id += 1) wheel.add(new Entry(id, id * 40));
  now = 5 * turnMs;
  fire();
  const due = Array.from({ length: 1000 }, (_, id) => id).filter((id) => id * 40 <= now);
  assert.deepEqual(
    [...expired].sort((a, b) => a - b),
    due,
  );
});

test("a closed wheel expires nothing, holds no timer and lets go of its entries", async () => {
  const clock = new FakeClock();
  const wheel = new TimingWheel<Entry>(clock, () => assert.fail("it expired"));
  const entries = [new Entry(1, 10), new Entry(2, 10), new Entry(3, 900)];
  for (const entry of entries) wheel.add(entry);
  wheel.close();
  assert.deepEqual(clock.pending, []);
  for (const entry of entries) wheel.remove(entry);
  assert.equal(wheel.size, 0);
  await clock.advance(1000);
});
