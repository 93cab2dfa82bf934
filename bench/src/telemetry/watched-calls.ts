/**
 * In-process calls of one node in five moods, each in a process of its own, in turns; and all of it
 * in several sets of processes, as two processes of the same program differ by some 5 %: by what
 * the compiler made of it, and when.
 */

import type { BenchRun, CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Target } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { openSubject, type SubjectProcess } from "../subject-process.ts";

const off = "telemetry switched off";
const bare = "the pipeline alone, without a node";

/** `call, …`: the same call with more and more of telemetry, beside none of it. */
export const watchedCalls: CaseGroup = {
  name: "watched calls",
  async run(bench) {
    const shapes = ["call", "nested"] as const;
    const samples = { call: emptySamples(), nested: emptySamples() };
    for (let set = 0; set < (bench.quick ? 1 : 7); set += 1) {
      await using stack = new AsyncDisposableStack();
      const opening = subjectsOf(bench);
      const subjects = (await Promise.all(opening)).map((subject) => stack.use(subject));
      for (const shape of shapes) {
        const question = { inFlight: 64, durationMs: bench.quick ? 20 : 120 };
        const turns = subjects.map((subject) => async (): Promise<number> => {
          const { rate = NaN } = await subject.ask(shape, question);
          return rate;
        });
        const taken = await takeTurns(turns, roundsOf(bench));
        for (const [index, values] of taken.entries()) samples[shape][index]?.push(...values);
      }
    }
    return shapes.flatMap((shape) => casesOf(shape, samples[shape]));
  },
};

const moods = ["off", "metrics", "sampled", "uncapped", "default"];

function subjectsOf({ fromSource }: BenchRun): Promise<SubjectProcess>[] {
  const open = (file: string, ...args: string[]): Promise<SubjectProcess> =>
    openSubject(new URL(file, import.meta.url), { args, fromSource });
  return [
    ...moods.map((mood) => open("watched-banyan.bench.ts", mood)),
    open("watched-bare.bench.ts"),
    open("watched-bare.bench.ts", "clock"),
  ];
}

/** One list for each subject. */
function emptySamples(): number[][] {
  return Array.from({ length: moods.length + 2 }, () => []);
}

function roundsOf({ quick }: BenchRun): { rounds: number; warmUp: number } {
  return quick ? { rounds: 2, warmUp: 1 } : { rounds: 7, warmUp: 4 };
}

const titles = {
  call: "in-process call",
  nested: "call that calls, reads a store and publishes",
} as const;

function casesOf(shape: string, samples: readonly number[][]): BenchCase[] {
  const title = shape === "call" ? titles.call : titles.nested;
  const [none = [], metrics = [], sampled = [], uncapped = [], ...rest] = samples;
  const [all = [], pipeline = [], timed = []] = rest;
  const against = (name: string, ours: readonly number[], target?: Target): BenchCase =>
    caseOf({
      name: `${title}, ${name}, 64 in flight`,
      unit: "calls/s",
      ours,
      baseline: { name: off, values: none },
      ...(target === undefined ? {} : { target }),
    });
  return [
    against("metrics and 1 % of traces", uncapped, { atLeast: 0.9, times: off }),
    against("metrics and 1 % of traces, 100 a second at most", sampled),
    against("metrics alone", metrics),
    against("as it comes (100 traces a second)", all),
    caseOf({
      name: `${title}, the pipeline and a clock reading, 64 in flight`,
      unit: "calls/s",
      ours: timed,
      baseline: { name: bare, values: pipeline },
    }),
    caseOf({
      name: `${title}, telemetry off, 64 in flight`,
      unit: "calls/s",
      ours: none,
      baseline: { name: bare, values: pipeline },
    }),
  ];
}
