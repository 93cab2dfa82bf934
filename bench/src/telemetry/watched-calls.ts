/** In-process calls of one node in five moods, each in a process of its own, in turns. */

import type { BenchRun, CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Target } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { openSubject } from "../subject-process.ts";

const off = "telemetry switched off";
const bare = "the pipeline alone, without a node";

/** `call, …`: the same call with more and more of telemetry, beside none of it. */
export const watchedCalls: CaseGroup = {
  name: "watched calls",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const open = (file: string, ...args: string[]) =>
      openSubject(new URL(file, import.meta.url), { args, fromSource: bench.fromSource });
    const moods = ["off", "metrics", "sampled", "uncapped", "default"];
    const opened = [
      ...moods.map((mood) => open("watched-banyan.bench.ts", mood)),
      open("watched-bare.bench.ts"),
      open("watched-bare.bench.ts", "clock"),
    ];
    const subjects = (await Promise.all(opened)).map((subject) => stack.use(subject));
    const cases: BenchCase[] = [];
    for (const shape of ["call", "nested"]) {
      const question = { inFlight: 64, durationMs: bench.quick ? 20 : 120 };
      const turns = subjects.map((subject) => async (): Promise<number> => {
        const { rate = NaN } = await subject.ask(shape, question);
        return rate;
      });
      cases.push(...casesOf(shape, await takeTurns(turns, roundsOf(bench))));
    }
    return cases;
  },
};

function roundsOf({ quick }: BenchRun): { rounds: number; warmUp: number } {
  return quick ? { rounds: 2, warmUp: 1 } : { rounds: 35, warmUp: 7 };
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
