import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { areas } from "./areas.ts";
import { renderTable, replaceSection } from "./report.ts";
import { caseOf, parseResult } from "./result.ts";
import type { BenchResult, Measured, Target } from "./result.ts";

const root = resolve(import.meta.dirname, "../..");

const measured = (target?: Target): Measured => ({
  name: "a call",
  unit: "calls/s",
  ours: [90, 100, 120],
  baseline: { name: "raw", values: [180, 200, 240] },
  peers: [{ name: "other", version: "1.2.3", values: [45, 50, 60] }],
  ...(target === undefined ? {} : { target }),
});

const resultOf = (...cases: BenchResult["cases"]): BenchResult => ({
  area: "trunk",
  commit: "none",
  node: "v24.0.0",
  cpu: "2 × test",
  date: "2026-01-02T03:04:05.000Z",
  cases,
});

test("a case tells medians, the spread, and the ratio to the baseline", () => {
  assert.deepEqual(caseOf(measured()), {
    name: "a call",
    unit: "calls/s",
    ours: 100,
    baseline: { name: "raw", value: 200 },
    peers: [{ name: "other", version: "1.2.3", value: 50 }],
    ratio: 0.5,
    target: null,
    met: null,
    samples: 3,
    spread: { min: 90, q1: 95, q3: 110, max: 120 },
  });
});

test("a target on the ratio compares with the series that it names", () => {
  const met = caseOf(measured({ atLeast: 1.5, times: "other" }));
  assert.deepEqual([met.ratio, met.target, met.met], [2, "≥ 1.5 × other", true]);
  const missed = caseOf(measured({ atLeast: 0.85, times: "raw" }));
  assert.deepEqual([missed.ratio, missed.target, missed.met], [0.5, "≥ 0.85 × raw", false]);
  assert.throws(() => caseOf(measured({ atLeast: 1, times: "nobody" })), /"nobody"/);
});

test("a target on the figure itself has a direction", () => {
  assert.equal(caseOf(measured({ atLeast: 100 })).met, true);
  assert.equal(caseOf(measured({ atLeast: 101 })).met, false);
  assert.equal(caseOf(measured({ atMost: 100 })).met, true);
  const missed = caseOf(measured({ atMost: 99 }));
  assert.deepEqual([missed.met, missed.target], [false, "≤ 99 calls/s"]);
});

test("a result has the form that every area shares, and no other", () => {
  const result = resultOf(caseOf(measured()));
  assert.deepEqual(parseResult(structuredClone(result)), result);
  const broken: [unknown, RegExp][] = [
    [{ ...result, cases: [] }, /\/cases/],
    [{ ...result, host: "mine" }, /host/],
    [{ ...result, date: "yesterday" }, /\/date/],
    [{ ...result, cases: [{ ...result.cases[0], ours: "fast" }] }, /\/cases\/0\/ours/],
    [{ ...result, cases: [{ ...result.cases[0], peers: [{ name: "x", value: 1 }] }] }, /version/],
    [{ ...result, cases: [{ ...result.cases[0], met: undefined }] }, /met/],
  ];
  for (const [value, pattern] of broken) assert.throws(() => parseResult(value), pattern);
});

test("what missed its target heads the section, and the table says no", () => {
  const result = resultOf(
    caseOf(measured()),
    caseOf({ ...measured({ atMost: 99 }), name: "a miss" }),
  );
  const start = "<!-- results of trunk: written by `npm run bench -- trunk` -->";
  const page = `before\n${start}\nold\n<!-- end of trunk -->\nafter`;
  const written = replaceSection(page, result);
  assert.match(written, /^before\n<!-- results[^\n]*\n\nMeasured on 2026-01-02/);
  assert.match(
    written,
    /0 of 1 targets are met; missed:\n\n- \*\*missed\*\*: a miss: 100 calls\/s/,
  );
  assert.match(written, /\| a miss \|.*\| \*\*no\*\* \|/);
  assert.ok(written.endsWith("<!-- end of trunk -->\nafter"));
  assert.ok(!written.includes("old"));
  assert.equal(replaceSection(written, result), written);
  assert.match(renderTable(result.cases), /a miss.*✖ missed/);
});

test("a page without the area's markers is refused, and the message has the markers", () => {
  assert.throws(() => replaceSection("# Empty", resultOf(caseOf(measured()))), /end of trunk -->/);
});

test("the section of one area leaves the others' as they are", () => {
  const section = (area: string): string => {
    const start = `<!-- results of ${area}: written by \`npm run bench -- ${area}\` -->`;
    return `${start}\nold\n<!-- end of ${area} -->`;
  };
  const page = `${section("trunk")}\nbetween\n${section("embedded")}`;
  const written = replaceSection(page, { ...resultOf(caseOf(measured())), area: "embedded" });
  assert.ok(written.startsWith(`${section("trunk")}\nbetween\n`));
  assert.match(written, /results of embedded.*\n\nMeasured on 2026-01-02/);
});

test("BENCHMARKS.md has a section for each area", () => {
  const page = readFileSync(join(root, "BENCHMARKS.md"), "utf8");
  for (const area of Object.keys(areas)) {
    replaceSection(page, { ...resultOf(caseOf(measured())), area });
  }
});

test("the stored results have the form, and BENCHMARKS.md shows exactly them", () => {
  const page = readFileSync(join(root, "BENCHMARKS.md"), "utf8");
  const files = globSync("bench/results/*.json", { cwd: root });
  for (const file of files) {
    const result = parseResult(JSON.parse(readFileSync(join(root, file), "utf8")));
    assert.equal(file, join("bench/results", `${result.area}.json`));
    assert.ok(replaceSection(page, result) === page, `run \`npm run bench -- ${result.area}\``);
  }
});
