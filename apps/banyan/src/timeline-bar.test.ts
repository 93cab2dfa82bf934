import assert from "node:assert/strict";
import { test } from "node:test";
import { timelineBar } from "./timeline-bar.ts";

const scale = { startMs: 0, endMs: 100, cells: 10 };

function bar(...stretches: readonly (readonly [number, number])[]): string {
  return timelineBar(
    stretches.map(([startMs, durationMs]) => ({ startMs, durationMs })),
    scale,
  );
}

test("a bar begins and ends where its stretch does, half a character exact", () => {
  assert.equal(bar([0, 100]), "██████████");
  assert.equal(bar([20, 30]), "  ███     ");
  assert.equal(bar([25, 30]), "  ▐██▌    ");
});

test("what is too short to be seen is half a block, at the place where it was", () => {
  assert.equal(bar([0, 0]), "▌         ");
  assert.equal(bar([57, 0.001]), "     ▐    ");
  assert.equal(bar([100, 0]), "         ▐");
});

test("several stretches leave their gaps open", () => {
  assert.equal(bar([0, 10], [30, 10], [35, 20], [90, 10]), "█  ██▌   █");
  assert.equal(bar(), "          ");
});

test("what lies outside of the scale is drawn at its edge", () => {
  assert.equal(bar([-50, 20]), "▌         ");
  assert.equal(bar([-50, 70]), "██        ");
  assert.equal(bar([150, 20]), "         ▐");
});

test("a scale of no time, or of no width, draws what it can", () => {
  const stretches = [{ startMs: 5, durationMs: 0 }];
  assert.equal(timelineBar(stretches, { startMs: 5, endMs: 5, cells: 3 }), "▌  ");
  assert.equal(timelineBar(stretches, { startMs: 5, endMs: 6, cells: 0 }), "");
});
