/** A store of a million records: what it costs in memory and time to have that many. */

import { mkdir } from "node:fs/promises";
import { temporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import type { Figures } from "../subject.ts";
import { openSubject } from "../subject-process.ts";
import { askInTurns, openSubjects, seriesOf } from "./contestants.ts";
import type { SubjectFile } from "./contestants.ts";
import { casesOfSets } from "./state-cases.ts";

const raw = "node:sqlite on the same table";

/** `1 M records, …`; `durable set, 1 M keys, …`. */
export const largeStore: CaseGroup = {
  name: "large store",
  async run(bench) {
    await using folder = await temporaryDirectory("bench");
    await mkdir(folder.join("banyan"));
    const keys = String(bench.quick ? 2000 : 1_000_000);
    const files: SubjectFile[] = [
      ["state-banyan.bench.ts", folder.join("banyan"), keys],
      ["state-raw.bench.ts", folder.join("raw.db"), keys],
    ];
    {
      // Both fill their files, then go, so that every reader below finds them at rest.
      await using stack = new AsyncDisposableStack();
      const subjects = await openSubjects(bench, stack, files);
      for (const subject of subjects) await subject.ask("close", {});
    }
    const readers: SubjectFile[] = [
      ["gets-banyan.bench.mjs", folder.join("banyan"), keys],
      ["gets-raw.bench.mjs", folder.join("raw.db"), keys],
    ];
    return [...(await readCases(bench, readers)), ...(await setCases(bench, files))];
  },
};

/** Each round in a fresh process, so that it weighs what these reads made it weigh. */
async function readCases(bench: BenchRun, files: readonly SubjectFile[]): Promise<BenchCase[]> {
  const count = bench.quick ? 500 : 200_000;
  const turns = files.map(([file, ...args]) => async (): Promise<Figures> => {
    const { fromSource } = bench;
    await using subject = await openSubject(new URL(file, import.meta.url), { args, fromSource });
    return await subject.ask("gets", { count });
  });
  const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 5, warmUp: 1 };
  const [ours, theirs] = await takeTurns(turns, rounds);
  const about = (figure: string): Pick<Measured, "ours" | "baseline"> => ({
    ours: seriesOf(ours, figure),
    baseline: { name: raw, values: seriesOf(theirs, figure) },
  });
  const name = "1 M records, 200 000 random gets";
  return [
    caseOf({
      ...about("megabytes"),
      name: `${name}: memory after them`,
      unit: "MB resident",
      target: { atMost: 100 },
    }),
    caseOf({ ...about("p99Ms"), name: `${name}: p99`, unit: "ms", target: { atMost: 1 } }),
    caseOf({ ...about("p50Ms"), name: `${name}: p50`, unit: "ms" }),
  ];
}

async function setCases(bench: BenchRun, files: readonly SubjectFile[]): Promise<BenchCase[]> {
  await using stack = new AsyncDisposableStack();
  const [ours, theirs] = await openSubjects(bench, stack, files);
  const durationMs = bench.quick ? 30 : 250;
  const rounds = bench.quick ? { rounds: 1, warmUp: 1 } : { rounds: 15, warmUp: 3 };
  const samples = await askInTurns(
    [
      { subject: ours, measure: "sets", question: { durationMs, inFlight: 64 } },
      { subject: theirs, measure: "sets", question: { durationMs, rows: 64 } },
      { subject: theirs, measure: "sets", question: { durationMs, rows: 1 } },
    ],
    rounds,
  );
  return casesOfSets("1 M keys", samples);
}
