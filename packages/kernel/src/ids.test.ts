import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { createIdSource, systemIds } from "./ids.ts";
import { createSeededRandom } from "./random.ts";

const layout = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
const counterOf = (id: string): number => Number.parseInt(id.slice(15, 18), 16);

test("an id has the layout of a UUID of version 7 and holds its time", () => {
  const clock = new FakeClock({ nowMs: 0x0197_0000_abcd });
  const ids = createIdSource(clock, createSeededRandom(seedOf()));
  const id = ids.uuid();
  assert.match(id, layout);
  assert.equal(timeOf(id), 0x0197_0000_abcd);
  assert.equal(counterOf(id), 0);
  assert.equal(counterOf(ids.uuid()), 1);
  assert.match(systemIds.uuid(), layout);
});

test("the ids of one source only grow, whatever the clock does", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(fc.integer({ min: -50, max: 50 }), fc.double({ min: -1, max: 1, noNaN: true })),
        {
          maxLength: 200,
        },
      ),
      (jumps) => {
        const clock = new FakeClock();
        const ids = createIdSource(clock, createSeededRandom(1));
        let last = "";
        for (const jump of jumps) {
          clock.jumpWallClock(jump);
          const id = ids.uuid();
          assert.match(id, layout);
          assert.ok(id > last, `${id} after ${last}`);
          last = id;
        }
      },
    ),
    { seed: seedOf() },
  );
});

test("more ids than a millisecond has numbers for borrow from the next one", () => {
  const clock = new FakeClock({ nowMs: 1000 });
  const ids = createIdSource(clock, createSeededRandom(1));
  const made = Array.from({ length: 3 * 4096 + 1 }, () => ids.uuid());
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  assert.deepEqual([timeOf(made[4095] ?? ""), timeOf(made[4096] ?? "")], [1000, 1001]);
  assert.equal(timeOf(made.at(-1) ?? ""), 1003);
});
