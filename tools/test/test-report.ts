/** Collects what a test run says, prints one line per file, and remembers what the end needs. */

import { relative } from "node:path";
import { inspect } from "node:util";
import type { EventData, TestsStream } from "node:test";
import type { PassedTest } from "../readiness/proofs.ts";
import type { CoverageFile } from "./coverage.ts";

export interface TestCounts {
  readonly tests: number;
  readonly suites: number;
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

export interface TestReport {
  readonly counts: TestCounts;
  readonly durationMs: number;
  readonly success: boolean;
  readonly passed: readonly PassedTest[];
  readonly slowest: readonly { readonly name: string; readonly durationMs: number }[];
  readonly coverage: readonly CoverageFile[];
}

const SLOW_TESTS_SHOWN = 10;

export interface ReadReportOptions {
  readonly root: string;
  readonly print: (text: string) => void;
  /** Called at each event of the run. */
  readonly heard?: () => void;
}

export async function readReport(
  stream: TestsStream,
  { root, print, heard }: ReadReportOptions,
): Promise<TestReport> {
  const passed: PassedTest[] = [];
  const timed: { name: string; durationMs: number }[] = [];
  const failures: string[] = [];
  const stderr = new Map<string, string>();
  let coverage: readonly CoverageFile[] = [];
  let total: TestTotal = { counts: noCounts, durationMs: 0, success: false };
  const place = (file: string | undefined): string => relative(root, file ?? root);

  // A test stream yields these pairs; its declaration leaves the iterator untyped.
  for await (const { type, data } of stream as AsyncIterable<TestEvent>) {
    heard?.();
    switch (type) {
      case "test:pass": {
        const isSkipped = data.skip !== undefined || data.todo !== undefined;
        if (!isSkipped) passed.push({ file: place(data.file), title: data.name });
        if (data.details.type !== "suite") {
          const name = `${place(data.file)}  ${data.name}`;
          timed.push({ name, durationMs: data.details.duration_ms });
        }
        break;
      }
      case "test:fail": {
        // A parent fails because a child failed: the child has said it already.
        if (isBecauseOfChildren(data.details.error)) break;
        failures.push(describeFailure(place(data.file), data));
        break;
      }
      case "test:stderr":
        stderr.set(data.file, `${stderr.get(data.file) ?? ""}${data.message}`);
        break;
      case "test:diagnostic":
        // Of the runner itself: coverage that could not be read says so here and nowhere else.
        if (data.nesting === 0 && data.message.startsWith("Warning:")) print(`${data.message}\n`);
        break;
      case "test:coverage":
        coverage = data.summary.files;
        break;
      case "test:summary": {
        const { counts, duration_ms: durationMs, success } = data;
        if (data.file === undefined) total = { counts, durationMs, success };
        else print(fileLine(place(data.file), { counts, durationMs, success }));
        // Seeds and the like: of use only where something failed.
        if (!success && data.file !== undefined) print(stderr.get(data.file) ?? "");
        break;
      }
      default: // progress events that this report does not show
    }
  }

  if (failures.length > 0) print(`\nFailures:\n\n${failures.join("\n")}\n`);
  const slowest = timed.sort((a, b) => b.durationMs - a.durationMs).slice(0, SLOW_TESTS_SHOWN);
  return { ...total, passed, slowest, coverage };
}

/** The events that are read; the stream has more of them. */
type TestEvent =
  | { readonly type: "test:pass"; readonly data: EventData.TestPass }
  | { readonly type: "test:fail"; readonly data: EventData.TestFail }
  | { readonly type: "test:stderr"; readonly data: EventData.TestStderr }
  | { readonly type: "test:diagnostic"; readonly data: EventData.TestDiagnostic }
  | { readonly type: "test:coverage"; readonly data: EventData.TestCoverage }
  | { readonly type: "test:summary"; readonly data: EventData.TestSummary & WithCounts };

/** Node counts failures as well; its declaration forgets them. */
interface WithCounts {
  readonly counts: TestCounts;
}

interface TestTotal {
  readonly counts: TestCounts;
  readonly durationMs: number;
  readonly success: boolean;
}

const noCounts: TestCounts = {
  tests: 0,
  suites: 0,
  passed: 0,
  failed: 0,
  cancelled: 0,
  skipped: 0,
  todo: 0,
};

function fileLine(file: string, { counts, durationMs, success }: TestTotal): string {
  const mark = success ? "✔" : "✖";
  const tests = `${counts.passed}/${counts.tests}`.padStart(7);
  return `${mark} ${tests}  ${seconds(durationMs).padStart(7)}  ${file}\n`;
}

function isBecauseOfChildren(error: Error): boolean {
  return "failureType" in error && error.failureType === "subtestsFailed";
}

interface Failure {
  readonly name: string;
  readonly line?: number;
  readonly details: { readonly error: Error };
}

function describeFailure(file: string, { name, line, details }: Failure): string {
  const reason = details.error.cause ?? details.error;
  const text = typeof reason === "string" ? reason : inspect(reason, { colors: false });
  return `✖ ${name}\n  ${file}:${line ?? 1}\n${text.replace(/^/gm, "    ")}\n`;
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** Node's own closing lines, so that tools that know `node --test` can read the counts. */
export function closingLines({ counts, durationMs }: TestReport): string {
  return [
    `ℹ tests ${counts.tests}`,
    `ℹ suites ${counts.suites}`,
    `ℹ pass ${counts.passed}`,
    `ℹ fail ${counts.failed}`,
    `ℹ cancelled ${counts.cancelled}`,
    `ℹ skipped ${counts.skipped}`,
    `ℹ todo ${counts.todo}`,
    `ℹ duration_ms ${durationMs.toFixed(0)}`,
    "",
  ].join("\n");
}
