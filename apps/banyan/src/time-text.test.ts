import assert from "node:assert/strict";
import { test } from "node:test";
import { agoText, ageText, clockText, durationText, whenText } from "./time-text.ts";

test("a duration has three digits that count, and never the wrong unit", () => {
  const texts = [0, -3, NaN, 0.0001, 0.0841, 0.9996, 1, 3.214, 9.996, 61.26, 99.96, 999.6];
  assert.deepEqual(texts.map(durationText), [
    "0 ms",
    "0 ms",
    "0 ms",
    "1 µs",
    "84 µs",
    "1.00 ms",
    "1.00 ms",
    "3.21 ms",
    "10.0 ms",
    "61.3 ms",
    "100 ms",
    "1.00 s",
  ]);
  const longer = [1254, 61_260, 119_000, 750_000, 9_000_000, 360_000_000];
  assert.deepEqual(longer.map(durationText), [
    "1.25 s",
    "61.3 s",
    "119 s",
    "12.5 min",
    "2.50 h",
    "100 h",
  ]);
});

test("an age is whole and near enough", () => {
  const ages = [0, 12, 3400, 119_000, 300_000, 7_200_000, 3 * 86_400_000];
  assert.deepEqual(ages.map(ageText), ["-", "12 ms", "3 s", "119 s", "5 min", "2 h", "3 d"]);
});

test("what is younger than a second, or of a clock that is ahead, is just now", () => {
  const at = "2026-03-14T12:00:00.000Z";
  const nowMs = Date.parse(at);
  assert.equal(agoText(at, nowMs + 3000), "3 s ago");
  assert.equal(agoText(at, nowMs + 300), "just now");
  assert.equal(agoText(at, nowMs - 60_000), "just now");
  assert.equal(agoText("soon", nowMs), "");
});

test("a time is told in local time, with its day where that is another one", () => {
  const at = new Date(2026, 2, 14, 9, 5, 1, 34);
  assert.equal(clockText(at.toISOString()), "09:05:01.034");
  assert.equal(whenText(at.toISOString(), at.getTime() + 3_600_000), "09:05:01.034");
  const later = new Date(2026, 2, 15, 0, 1).getTime();
  assert.equal(whenText(at.toISOString(), later), "2026-03-14 09:05:01.034");
  assert.equal(whenText("soon", later), "soon");
});
