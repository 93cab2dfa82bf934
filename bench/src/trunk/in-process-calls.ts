/** In-process calls, each subject in a process of its own, in turns. */

import type { BenchRun, CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, PeerSamples } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { openSubject } from "../subject-process.ts";

const moleculerOn = "moleculer (tracking, metrics, timeout, validator on)";
const moleculerOff = "moleculer (all four off)";
const direct = "the handler called directly";

/** `call, …`: the typed client of a real node beside Moleculer's local call. */
export const inProcessCalls: CaseGroup = {
  name: "in-process calls",
  async run(bench) {
    const { fromSource } = bench;
    const open = (file: string, args: readonly string[] = []) =>
      openSubject(new URL(file, import.meta.url), { args, fromSource });
    await using stack = new AsyncDisposableStack();
    const opened = [
      open("call-banyan.bench.ts", ["edge"]),
      open("call-banyan.bench.ts", ["full"]),
      open("call-direct.bench.ts"),
      open("call-moleculer.bench.mjs", ["on"]),
      open("call-moleculer.bench.mjs", ["off"]),
    ];
    const subjects = (await Promise.all(opened)).map((subject) => stack.use(subject));
    const cases: BenchCase[] = [];
    for (const inFlight of [1, 64]) {
      const question = { inFlight, durationMs: bench.quick ? 20 : 120 };
      const turns = subjects.map((subject) => async (): Promise<number> => {
        const { rate = NaN } = await subject.ask("calls", question);
        return rate;
      });
      cases.push(...casesOf(inFlight, await takeTurns(turns, roundsOf(bench))));
    }
    return cases;
  },
};

function roundsOf({ quick }: BenchRun): { rounds: number; warmUp: number } {
  return quick ? { rounds: 2, warmUp: 1 } : { rounds: 35, warmUp: 7 };
}

function casesOf(inFlight: number, samples: readonly number[][]): BenchCase[] {
  const [edge = [], full = [], bare = [], peerOn = [], peerOff = []] = samples;
  const version = peerVersion("moleculer");
  const peers: PeerSamples[] = [
    { name: moleculerOn, version, values: peerOn },
    { name: moleculerOff, version, values: peerOff },
  ];
  const shared = { unit: "calls/s", baseline: { name: direct, values: bare }, peers };
  return [
    caseOf({
      ...shared,
      name: `in-process call, unvalidated, ${inFlight} in flight`,
      ours: edge,
      target: { atLeast: 1, times: moleculerOn },
    }),
    caseOf({
      ...shared,
      name: `in-process call, validated, ${inFlight} in flight`,
      ours: full,
      target: { atLeast: 1_000_000 },
    }),
  ];
}
