import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { countSince, marksAfter, readMarks } from "./queue-ages.ts";
import type { AgeMark } from "./queue-ages.ts";

const keepMs = 800;
const everyMs = 100;

/** Each step: so much time passes, so many come, and perhaps it is swept. */
const step = fc.record({ afterMs: fc.nat(150), arrivals: fc.nat(3), isSwept: fc.boolean() });

test("what is said to be old is old, and what is old is told in time", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let nowMs = 1_000_000;
      let marks: readonly AgeMark[] = [];
      const queue: number[] = [];
      let sinceSweepMs = nowMs;
      for (const { afterMs, arrivals, isSwept } of steps) {
        nowMs += afterMs;
        for (let n = 0; n < arrivals; n += 1) queue.push(nowMs);
        // It is swept at least as often as it is marked.
        if (!isSwept && nowMs - sinceSweepMs < everyMs) continue;
        sinceSweepMs = nowMs;
        const gone = queue.splice(0, countSince(marks, nowMs - keepMs));
        for (const atMs of gone) assert(atMs <= nowMs - keepMs, "it was young");
        marks = marksAfter(marks, {
          atMs: nowMs,
          keepMs,
          everyMs,
          gone: gone.length,
          left: queue.length,
        });
        assert(marks.length <= keepMs / everyMs + 2, `${marks.length} marks`);
        // A step is 150 ms at most, so a sweep comes within 250, and a mark within 250 more.
        const [oldest = nowMs] = queue;
        assert(nowMs - oldest <= keepMs + 750, `${nowMs - oldest} ms old`);
      }
    }),
    { seed: seedOf(), numRuns: 500 },
  );
});

test("where somebody took some nothing is said to be old", () => {
  const mark = { atMs: 1000, count: 5 };
  const sweep = { atMs: 5000, keepMs, everyMs, gone: 2 };
  assert.deepEqual(marksAfter([mark], { ...sweep, left: 2 }), [{ atMs: 5000, count: 2 }]);
  assert.deepEqual(marksAfter([mark], { ...sweep, left: 3 }), [
    { atMs: 1000, count: 3 },
    { atMs: 5000, count: 3 },
  ]);
});

test("what cannot be read is no mark", () => {
  const marks = [{ atMs: 1, count: 2 }];
  assert.deepEqual(readMarks(JSON.stringify(marks)), marks);
  for (const text of ["", "7", "[7]", "[null]", '[{"atMs":1}]', '[{"atMs":"1","count":2}]']) {
    assert.deepEqual(readMarks(text), []);
  }
});
