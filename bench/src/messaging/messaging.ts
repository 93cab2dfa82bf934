/** The area `messaging`: events through a broker, beside its bare client and beside peers. */

import type { Area, BenchRun, CaseGroup } from "../area.ts";
import { askInTurns, seriesOf } from "../embedded/contestants.ts";
import type { Question } from "../subject.ts";
import type { RoundsOptions } from "../rounds.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, PeerSamples, Target } from "../result.ts";
import { openFields } from "./contestants.ts";
import type { Field } from "./contestants.ts";
import { guarantees } from "./guarantees.ts";

/** One question to everybody, and the cases that are made of the answers. */
interface Work {
  readonly measure: "publish" | "consume" | "handled";
  readonly question: Question;
  readonly figure: "rate" | "p50Ms";
  readonly unit: string;
  /** What is done, how many at once. */
  readonly title: (queue: string) => string;
  /** Which half of a guarantee it takes to be compared with. */
  readonly half: "publishing" | "handling";
  /** Beside the baseline; left out: for information. */
  readonly ofRaw?: number;
}

const publish: CaseGroup = {
  name: "publish",
  run: (bench) => {
    const question = { inFlight: 64, durationMs: bench.quick ? 60 : 400 };
    const title = (queue: string): string => `publish, confirmed, ${queue}, 64 in flight`;
    const about = { measure: "publish", figure: "rate", unit: "events/s" } as const;
    return casesOf(bench, [{ ...about, question, title, half: "publishing", ofRaw: 0.9 }]);
  },
};

const consume: CaseGroup = {
  name: "consume",
  run: (bench) => {
    const question = { count: bench.quick ? 300 : 8000 };
    const title = (queue: string): string => `consume a backlog, ${queue}, 100 at once`;
    const about = { measure: "consume", figure: "rate", unit: "events/s" } as const;
    return casesOf(bench, [{ ...about, question, title, half: "handling", ofRaw: 0.9 }]);
  },
};

const handled: CaseGroup = {
  name: "handled",
  run: (bench) => {
    const durationMs = bench.quick ? 60 : 400;
    const about = { measure: "handled", half: "handling" } as const;
    return casesOf(bench, [
      {
        ...about,
        figure: "rate",
        unit: "events/s",
        question: { inFlight: 64, durationMs },
        title: (queue) => `publish to handled, ${queue}, 64 in flight`,
      },
      {
        ...about,
        figure: "p50Ms",
        unit: "ms",
        question: { inFlight: 1, durationMs },
        title: (queue) => `publish to handled, ${queue}, one at a time, p50`,
      },
    ]);
  },
};

export const messaging: Area = {
  name: "messaging",
  groups: [publish, consume, handled],
  guarantees: Object.values(guarantees),
};

async function casesOf(bench: BenchRun, works: readonly Work[]): Promise<BenchCase[]> {
  await using stack = new AsyncDisposableStack();
  const fields = await openFields(bench, stack);
  const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 15, warmUp: 3 };
  const cases: BenchCase[] = [];
  for (const work of works) cases.push(...(await casesOfWork(work, fields, rounds)));
  return cases;
}

/** All have their turn in each round, whatever their queues: a BullMQ is asked once. */
async function casesOfWork(
  work: Work,
  fields: readonly Field[],
  rounds: RoundsOptions,
): Promise<BenchCase[]> {
  const { measure, question, figure } = work;
  const everybody = [
    ...new Set(
      fields.flatMap(({ ours, raw, peers }) => [ours, raw, ...peers.map((peer) => peer.subject)]),
    ),
  ];
  const asked = everybody.map((subject) => ({ subject, measure, question }));
  const samples = await askInTurns(asked, rounds);
  const seriesBy = new Map(
    everybody.map((subject, index) => [subject, seriesOf(samples[index], figure)]),
  );
  return fields.flatMap((field) => {
    const peers = field.peers.map(({ name, version, subject }): PeerSamples => {
      return { name, version, values: seriesBy.get(subject) ?? [] };
    });
    const about = {
      unit: work.unit,
      ours: seriesBy.get(field.ours) ?? [],
      baseline: { name: field.rawName, values: seriesBy.get(field.raw) ?? [] },
    };
    const name = work.title(`${field.queueType} queue`);
    const ofRaw =
      work.ofRaw === undefined ? {} : { target: bound(work, work.ofRaw, field.rawName) };
    const all = caseOf({ ...about, name, peers, ...ofRaw });
    const beside = field.peers.flatMap((peer, index) => {
      const values = peers[index];
      if (peer.guarantee[work.half] === "less" || values === undefined) return [];
      const target = bound(work, 1, peer.name);
      return caseOf({ ...about, name: `${name}, beside ${peer.name}`, peers: [values], target });
    });
    return [all, ...beside];
  });
}

function bound({ figure }: Work, factor: number, times: string): Target {
  return figure === "rate" ? { atLeast: factor, times } : { atMost: factor, times };
}
