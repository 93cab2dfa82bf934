/**
 * `npm test`: the checks, then every test with coverage, ending with the counts.
 * `npm test -- packages/kernel` runs the tests under a path alone, without checks and coverage.
 */

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { matchesGlob, resolve } from "node:path";
import { run } from "node:test";
import { build } from "../build/build.ts";
import { check } from "../check/check.ts";
import { steps } from "../check/steps.ts";
import { readLedger, unprovenEntries } from "../readiness/proofs.ts";
import { loadRepo } from "../tidy/repo.ts";
import {
  coverageExclude,
  coverageInclude,
  LINE_FLOOR_PERCENT,
  percent,
  renderCoverage,
  summarizeCoverage,
} from "./coverage.ts";
import type { CoverageFile } from "./coverage.ts";
import { Stillness } from "./stillness.ts";
import { closingLines, readReport, seconds } from "./test-report.ts";

const testFiles = [
  "packages/*/src/**/*.test.ts",
  "backends/*/src/**/*.test.ts",
  "services/*/src/**/*.test.ts",
  "apps/*/src/**/*.test.ts",
  "examples/*/**/*.test.ts",
  "deploy/*/src/**/*.test.ts",
  "tools/**/*.test.ts",
  "bench/**/*.test.ts",
];
/** A test that takes longer hangs; suites that start real processes stay far below. */
const TEST_TIMEOUT_MS = 120_000;

const root = resolve(import.meta.dirname, "../..");
const print = (text: string): unknown => process.stdout.write(text);

process.chdir(root);
process.exitCode = await main(process.argv.slice(2));

async function main(wanted: readonly string[]): Promise<number> {
  const isWhole = wanted.length === 0;
  const problems: string[] = [];
  if (isWhole) {
    print("Checks:\n");
    const failed = await check({ root, steps, print });
    if (failed.length > 0) problems.push(`checks failed: ${failed.join(", ")}`);
    if (!(await buildForTests())) problems.push("the build failed");
    print("\nTests:\n");
  }
  // Removed with node_modules; files of it are written over where a source changes.
  process.env["BANYAN_TEST_COMPILE_CACHE"] ??= resolve(root, "node_modules/.cache/banyan-test");
  const files = globSync(testFiles, { exclude: ["**/node_modules/**", "**/dist/**"] })
    .filter((file) => isWhole || wanted.some((prefix) => file.startsWith(prefix)))
    .sort();
  if (files.length === 0) {
    print(`No test file starts with ${wanted.join(" or ")}.\n`);
    return 2;
  }
  using stillness = new Stillness({ limitMs: TEST_TIMEOUT_MS + 60_000 });
  const report = await readReport(
    run({
      files: files.map((file) => resolve(root, file)),
      concurrency: Math.max(2, availableParallelism()),
      execArgv: ["--conditions=source", "--disable-warning=ExperimentalWarning"],
      timeout: TEST_TIMEOUT_MS,
      signal: stillness.signal,
      ...(isWhole
        ? {
            coverage: true,
            coverageIncludeGlobs: coverageInclude,
            coverageExcludeGlobs: coverageExclude,
          }
        : {}),
    }),
    { root, print, heard: () => stillness.heard() },
  );
  if (!report.success)
    problems.push(`${report.counts.failed + report.counts.cancelled} tests failed`);
  print("\nSlowest tests:\n");
  for (const { name, durationMs } of report.slowest) {
    print(`  ${seconds(durationMs).padStart(7)}  ${name}\n`);
  }
  if (isWhole) {
    problems.push(...checkCoverage(report.coverage));
    const unproven = unprovenEntries(readLedger(loadRepo(root)), report.passed);
    for (const { file, message } of unproven) problems.push(`readiness: ${file}: ${message}`);
  }
  for (const problem of problems) print(`✖ ${problem}\n`);
  print(closingLines(report));
  return problems.length > 0 ? 1 : 0;
}

/** Once, before any test: no test that runs built code may meet a half-written dist. */
async function buildForTests(): Promise<boolean> {
  const startedAt = performance.now();
  const { code, output } = await build(root);
  print(
    `${code === 0 ? "✔" : "✖"} build      ${seconds(performance.now() - startedAt).padStart(7)}\n`,
  );
  if (code === 0) process.env["BANYAN_BUILT"] = "1";
  else print(output);
  return code === 0;
}

function checkCoverage(files: readonly CoverageFile[]): string[] {
  const sources = globSync(coverageInclude.map((pattern) => `${pattern}/*.ts`)).filter(
    (file) => !coverageExclude.some((pattern) => matchesGlob(file, pattern)),
  );
  const result = summarizeCoverage({ root, files, sources: [...new Set(sources)].sort() });
  print(`\n${renderCoverage(result)}\n`);
  const reached = percent(result.total);
  if (reached >= LINE_FLOOR_PERCENT) return [];
  return [`line coverage is ${reached.toFixed(1)} %, below the floor of ${LINE_FLOOR_PERCENT} %`];
}
