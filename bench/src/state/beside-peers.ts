/** A store beside unstorage and Keyv, on what all of them can do. */

import type { BenchRun } from "../area.ts";
import { askInTurns, seriesOf } from "../embedded/contestants.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, PeerSamples } from "../result.ts";
import { median } from "../statistics.ts";
import type { SubjectProcess } from "../subject-process.ts";
import type { KeyValueMeasure } from "./key-values.ts";

export interface Beside {
  /** First word of each case. */
  readonly what: string;
  readonly inFlight: number;
  readonly baseline: (measure: KeyValueMeasure) => string;
  readonly peers: readonly [unstorage: string, keyv: string];
}

/** Ours, by hand, unstorage, Keyv: all with `keyValueMeasures`. */
export type BesideSubjects = readonly SubjectProcess[];

const measures = [
  ["get", "get", "gets/s"],
  ["set", "set", "sets/s"],
  ["has", "has", "questions/s"],
  ["setAndDelete", "set and delete", "pairs/s"],
] as const;

/** The promise is held against the faster of the two: who is ahead of it is ahead of both. */
export async function besidePeers(
  { what, inFlight, baseline, peers: titles }: Beside,
  bench: BenchRun,
  subjects: BesideSubjects,
): Promise<BenchCase[]> {
  const question = { inFlight, durationMs: bench.quick ? 20 : 120 };
  const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 17, warmUp: 4 };
  const cases: BenchCase[] = [];
  for (const [measure, label, unit] of measures) {
    const asked = subjects.map((subject) => ({ subject, measure, question }));
    const [ours, raw, ...others] = await askInTurns(asked, rounds);
    const peers = others.map((samples, index) => peerOf(titles[index], samples, index));
    cases.push(
      caseOf({
        name: `${what} ${label}, 5 000 keys, ${inFlight} in flight, beside unstorage and Keyv`,
        unit,
        ours: seriesOf(ours, "rate"),
        baseline: { name: baseline(measure), values: seriesOf(raw, "rate") },
        peers,
        target: { atLeast: 1, times: fastestOf(peers) },
      }),
    );
  }
  return cases;
}

function peerOf(
  name: string | undefined,
  samples: Parameters<typeof seriesOf>[0],
  index: number,
): PeerSamples {
  const version = peerVersion(index === 0 ? "unstorage" : "keyv");
  return { name: name ?? "", version, values: seriesOf(samples, "rate") };
}

function fastestOf(peers: readonly PeerSamples[]): string {
  const [fastest] = peers.toSorted((one, other) => median(other.values) - median(one.values));
  return fastest?.name ?? "";
}
