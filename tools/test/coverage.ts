/**
 * Line coverage of what ships, with one floor.
 *
 * Counted: packages, services and backends. Not counted: tests and the testbed (they cover
 * themselves), and `conformance`/`liars` (exported tests: they would only lift the figure).
 * A source that no test loads counts as not covered at all; Node leaves such files out.
 */

import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { relative } from "node:path";

export const LINE_FLOOR_PERCENT = 85;

export const coverageInclude = ["packages/*/src/**", "services/*/src/**", "backends/*/src/**"];
export const coverageExclude = [
  "**/*.test.ts",
  "**/conformance.ts",
  "**/conformance/**",
  "**/liars.ts",
  "**/liars/**",
  "packages/testbed/**",
];

/** The part of Node's coverage summary that is used here. */
export interface CoverageFile {
  readonly path: string;
  readonly totalLineCount: number;
  readonly coveredLineCount: number;
}

export interface CoverageRow {
  readonly name: string;
  readonly lines: number;
  readonly covered: number;
}

export interface CoverageResult {
  readonly total: CoverageRow;
  readonly packages: readonly CoverageRow[];
  /** The worst files below the floor, worst first. */
  readonly low: readonly CoverageRow[];
}

const LOW_FILES_SHOWN = 8;

export interface CoverageInput {
  readonly root: string;
  /** Files that were loaded, with absolute paths. */
  readonly files: readonly CoverageFile[];
  /** Every source that counts, relative to the root. */
  readonly sources: readonly string[];
}

export function summarizeCoverage({ root, files, sources }: CoverageInput): CoverageResult {
  const loaded = new Map(files.map((file) => [relative(root, file.path), file]));
  const rows = sources.map((name): CoverageRow => {
    const file = loaded.get(name);
    if (file === undefined) return { name, lines: codeLines(root, name), covered: 0 };
    return { name, lines: file.totalLineCount, covered: file.coveredLineCount };
  });
  const groups = Map.groupBy(rows, ({ name }) => name.split("/").slice(0, 2).join("/"));
  return {
    total: sum("all", rows),
    packages: [...groups].map(([name, members]) => sum(name, members)),
    low: rows
      .filter((row) => percent(row) < LINE_FLOOR_PERCENT)
      .sort((a, b) => percent(a) - percent(b))
      .slice(0, LOW_FILES_SHOWN),
  };
}

function sum(name: string, rows: readonly CoverageRow[]): CoverageRow {
  return {
    name,
    lines: rows.reduce((total, { lines }) => total + lines, 0),
    covered: rows.reduce((total, { covered }) => total + covered, 0),
  };
}

/** 100 for nothing: a file of types alone has no line to run. */
export function percent({ lines, covered }: CoverageRow): number {
  return lines === 0 ? 100 : (covered / lines) * 100;
}

/** Lines of a file that no test loaded; none when it holds nothing but types. */
function codeLines(root: string, name: string): number {
  const text = readFileSync(`${root}/${name}`, "utf8");
  const code = stripTypeScriptTypes(text)
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "")
    .replace(
      /^\s*(?:import|export)\s*\{?[^;'"]*\}?\s*(?:from\s*)?["'][^"']*["'];?|export\s*\{\s*\};?/gm,
      "",
    );
  return /\S/.test(code) ? text.split("\n").length : 0;
}

export function renderCoverage({ total, packages, low }: CoverageResult): string {
  const line = (row: CoverageRow): string =>
    `  ${percent(row).toFixed(1).padStart(5)} %  ${row.name}`;
  return [
    `Line coverage (floor ${LINE_FLOOR_PERCENT} %):`,
    ...packages.map(line),
    line(total),
    ...(low.length === 0 ? [] : ["  lowest files:", ...low.map(line)]),
    "",
  ].join("\n");
}
