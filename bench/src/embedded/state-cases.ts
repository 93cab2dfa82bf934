/** Gets, sets and updates of a durable store beside raw `node:sqlite` and unstorage. */

import { mkdir } from "node:fs/promises";
import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured, PeerSamples } from "../result.ts";
import type { Figures } from "../subject.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { askInTurns, openSubjects, seriesOf } from "./contestants.ts";

/** All of it fits into SQLite's own cache. */
const fewKeys = 5000;
const inFlight = 64;

const rawGet = "node:sqlite, prepared get and JSON.parse";
const raw64 = "node:sqlite, 64 rows a commit";
const rawEach = "node:sqlite, one row a commit";
const rawHot = "node:sqlite, read and write a commit";
const peerNames = {
  fs: "unstorage, fs (no fsync)",
  sqlite: "unstorage, SQLite (db0 as it comes: rollback journal, FULL)",
  wal: "unstorage, SQLite (WAL, FULL)",
} as const;

/** `durable get …`, `durable set …`, `durable update …`, on a store of few keys. */
export const smallStore: CaseGroup = {
  name: "small store",
  async run(bench) {
    await using folder = await temporaryDirectory("bench");
    await using stack = new AsyncDisposableStack();
    const keys = String(bench.quick ? 100 : fewKeys);
    const subjects = await openSubjects(bench, stack, [
      ["state-banyan.bench.ts", await made(folder, "banyan"), keys],
      ["state-raw.bench.ts", folder.join("raw.db"), keys],
      ["state-unstorage.bench.mjs", "fs", await made(folder, "fs"), keys],
      ["state-unstorage.bench.mjs", "sqlite", folder.path, keys],
      ["state-unstorage.bench.mjs", "sqlite-wal", folder.path, keys],
    ]);
    return [
      await getCase(bench, subjects),
      ...(await setCases(bench, subjects)),
      await updateCase(bench, subjects),
    ];
  },
};

async function made(folder: TemporaryDirectory, name: string): Promise<string> {
  const path = folder.join(name);
  await mkdir(path);
  return path;
}

async function getCase(bench: BenchRun, subjects: readonly SubjectProcess[]): Promise<BenchCase> {
  const question = { inFlight: 1, durationMs: bench.quick ? 15 : 150 };
  const asked = subjects.map((subject) => ({ subject, measure: "get", question }));
  const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 25, warmUp: 4 };
  const [ours, raw, ...peers] = await askInTurns(asked, rounds);
  return caseOf({
    name: "durable get, 5 000 keys, 1 in flight",
    unit: "gets/s",
    ours: seriesOf(ours, "rate"),
    baseline: { name: rawGet, values: seriesOf(raw, "rate") },
    peers: unstoragePeers(peers),
    target: { atLeast: 0.8, times: rawGet },
  });
}

async function setCases(
  bench: BenchRun,
  subjects: readonly SubjectProcess[],
): Promise<BenchCase[]> {
  const [ours, raw, ...others] = subjects;
  const durationMs = bench.quick ? 30 : 250;
  const sets = (subject: SubjectProcess | undefined, rows = 1) => ({
    subject,
    measure: "sets",
    question: { durationMs, inFlight: rows === 1 ? inFlight : 1, rows },
  });
  const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 21, warmUp: 3 };
  const samples = await askInTurns(
    [
      sets(ours),
      sets(raw, inFlight),
      { subject: raw, measure: "sets", question: { durationMs, inFlight: 1, rows: 1 } },
      ...others.map((subject) => sets(subject)),
    ],
    rounds,
  );
  return casesOfSets("5 000 keys", samples);
}

/** Three views of one measurement: the rate beside both ways to commit, and the event loop. */
export function casesOfSets(where: string, samples: readonly (readonly Figures[])[]): BenchCase[] {
  const [ours, grouped, single, ...peers] = samples;
  const name = `durable set, ${where}, ${inFlight} in flight`;
  const rate = { unit: "sets/s", ours: seriesOf(ours, "rate") };
  const delay: Measured = {
    name: `${name}, p99 of the event loop's delay`,
    unit: "ms",
    ours: seriesOf(ours, "delayP99Ms"),
    baseline: { name: `${raw64}, on the calling thread`, values: seriesOf(grouped, "delayP99Ms") },
    target: { atMost: 10 },
  };
  return [
    caseOf({
      ...rate,
      name,
      peers: unstoragePeers(peers),
      baseline: { name: raw64, values: seriesOf(grouped, "rate") },
      target: { atLeast: 0.7, times: raw64 },
    }),
    caseOf({
      ...rate,
      name: `${name}, beside a commit each`,
      baseline: { name: rawEach, values: seriesOf(single, "rate") },
      target: { atLeast: 5, times: rawEach },
    }),
    caseOf(delay),
  ];
}

async function updateCase(
  bench: BenchRun,
  [ours, raw]: readonly SubjectProcess[],
): Promise<BenchCase> {
  const durationMs = bench.quick ? 30 : 250;
  const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 15, warmUp: 3 };
  const [own, theirs] = await askInTurns(
    [
      { subject: ours, measure: "update", question: { durationMs, inFlight } },
      { subject: raw, measure: "update", question: { durationMs, inFlight: 1 } },
    ],
    rounds,
  );
  return caseOf({
    name: `durable update, one hot key, ${inFlight} in flight`,
    unit: "updates/s",
    ours: seriesOf(own, "rate"),
    baseline: { name: rawHot, values: seriesOf(theirs, "rate") },
  });
}

function unstoragePeers(samples: readonly (readonly Figures[])[]): PeerSamples[] {
  const version = peerVersion("unstorage");
  return [peerNames.fs, peerNames.sqlite, peerNames.wal].flatMap((name, index) => {
    const values = seriesOf(samples[index], "rate");
    return values.length === 0 ? [] : [{ name, version, values }];
  });
}
