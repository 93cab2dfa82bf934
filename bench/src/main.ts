/**
 * `npm run bench -- <area>`: measures, prints a table, writes `bench/results/<area>.json` and the
 * area's section of BENCHMARKS.md.
 *
 *     npm run bench -- trunk                    all of it, the file and the page are written
 *     npm run bench -- trunk --quick            a smoke run of seconds; nothing is written
 *     npm run bench -- trunk --only parts       one group; nothing is written
 *     npm run bench -- trunk --out <file>       the result into another file
 *
 * Exit code 0 also when a target is missed: the file and the table say so. 2: wrong usage, or what
 * was built is older than the sources.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { runArea } from "./area.ts";
import type { Area, BenchRun } from "./area.ts";
import { areas } from "./areas.ts";
import { stalePackages } from "./build-check.ts";
import { describeCpu, loadNow, readCommit } from "./machine.ts";
import { renderGuarantees, renderTable, replaceSection } from "./report.ts";
import { parseResult } from "./result.ts";
import type { BenchResult } from "./result.ts";

const root = resolve(import.meta.dirname, "../..");

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      out: { type: "string" },
      // For tests of the runner: figures of sources are not worth keeping.
      "from-source": { type: "boolean", default: false },
    },
  });
  const [name = ""] = positionals;
  const open = Object.hasOwn(areas, name) ? areas[name] : undefined;
  if (open === undefined || positionals.length > 1) {
    console.error(`Usage: npm run bench -- <area>; areas: ${Object.keys(areas).join(", ")}.`);
    return 2;
  }
  const fromSource = values["from-source"];
  const stale = fromSource ? [] : stalePackages();
  if (stale.length > 0) {
    console.error(`Not built, or older than the sources: ${stale.join(", ")}.`);
    console.error("Run `npm run build`, or start through `npm run bench`, which builds first.");
    return 2;
  }
  const { quick, only, out } = values;
  const say = (text: string): void => console.error(text);
  const result = await measure(await open(), { quick, fromSource, only, say });
  console.log(`\n${renderTable(result.cases)}${renderGuarantees(result)}\n`);
  const isWhole = !quick && !fromSource && only.length === 0;
  if (out !== undefined) writeJson(resolve(out), result);
  else if (isWhole) store(result);
  return 0;
}

async function measure(area: Area, bench: BenchRun): Promise<BenchResult> {
  const loadBefore = loadNow();
  const cases = await runArea(area, bench);
  return parseResult({
    area: area.name,
    commit: readCommit(),
    node: process.version,
    cpu: describeCpu(loadBefore, loadNow()),
    date: new Date().toISOString(),
    cases,
    ...(area.guarantees === undefined ? {} : { guarantees: area.guarantees }),
    ...(area.callGuarantees === undefined ? {} : { callGuarantees: area.callGuarantees }),
  });
}

function store(result: BenchResult): void {
  writeJson(join(root, "bench/results", `${result.area}.json`), result);
  const page = join(root, "BENCHMARKS.md");
  writeFileSync(page, replaceSection(readFileSync(page, "utf8"), result));
}

function writeJson(path: string, result: BenchResult): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}
