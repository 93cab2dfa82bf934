/** Publishing: inside the process, and through a queue that survives it. */

import { mkdir } from "node:fs/promises";
import { findRedisProgram, openRedisServer, temporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, PeerSamples } from "../result.ts";
import { askInTurns, openSubjects, seriesOf } from "./contestants.ts";
import type { SubjectFile } from "./contestants.ts";

const emitter = "an EventEmitter behind a promise";
const rawQueue = "node:sqlite, a queue table by hand, 256 a commit";
const jobsInFlight = 256;

/** `publish in process, …`. */
export const publishing: CaseGroup = {
  name: "publishing",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const [ours, raw] = await openSubjects(bench, stack, [
      ["publish-banyan.bench.ts"],
      ["publish-raw.bench.ts"],
    ]);
    const durationMs = bench.quick ? 15 : 200;
    const one = { inFlight: 1, durationMs };
    const many = { inFlight: 64, durationMs };
    const [single, several, typed, theirs] = await askInTurns(
      [
        { subject: ours, measure: "raw", question: one },
        { subject: ours, measure: "raw", question: many },
        { subject: ours, measure: "typed", question: one },
        { subject: raw, measure: "raw", question: one },
      ],
      bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 21, warmUp: 4 },
    );
    const about = {
      unit: "events/s",
      baseline: { name: emitter, values: seriesOf(theirs, "rate") },
    };
    const target = { atLeast: 1_000_000 };
    const ownRates = (samples: typeof single): number[] => seriesOf(samples, "rate");
    const name = "publish in process, not durable, to one subscriber";
    return [
      caseOf({ ...about, name: `${name}, 1 in flight`, ours: ownRates(single), target }),
      caseOf({ ...about, name: `${name}, 64 in flight`, ours: ownRates(several), target }),
      caseOf({
        ...about,
        name: `${name}, typed publish to typed handler, 1 in flight`,
        ours: ownRates(typed),
      }),
    ];
  },
};

/** `durable publish, …`. */
export const queueing: CaseGroup = {
  name: "queueing",
  async run(bench) {
    await using folder = await temporaryDirectory("bench");
    await mkdir(folder.join("banyan"));
    await using stack = new AsyncDisposableStack();
    const redis = await openRedis(bench, stack);
    const subjects = await openSubjects(bench, stack, [
      ["queue-banyan.bench.ts", folder.join("banyan")],
      ["queue-raw.bench.ts", folder.join("raw.db")],
      ...redis.map(({ path }): SubjectFile => ["queue-bullmq.bench.mjs", path]),
    ]);
    const question = { inFlight: jobsInFlight, durationMs: bench.quick ? 40 : 400 };
    const asked = subjects.map((subject) => ({ subject, measure: "jobs", question }));
    const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 15, warmUp: 3 };
    const [ours = [], raw = [], ...others] = await askInTurns(asked, rounds);
    const version = peerVersion("bullmq");
    const peers = others.map((samples, index): PeerSamples => ({
      name: redis[index]?.name ?? "",
      version,
      values: seriesOf(samples, "rate"),
    }));
    const about = {
      unit: "events/s",
      ours: seriesOf(ours, "rate"),
      baseline: { name: rawQueue, values: seriesOf(raw, "rate") },
    };
    const name = `durable publish, one group, handled, ${jobsInFlight} in flight`;
    const cases: BenchCase[] = [caseOf({ ...about, name, peers, target: { atLeast: 50_000 } })];
    for (const peer of peers) {
      const target = { atLeast: 1, times: peer.name };
      cases.push(caseOf({ ...about, name: `${name}, beside ${peer.name}`, peers: [peer], target }));
    }
    const delay = {
      name: `${name}, p99 of the event loop's delay`,
      unit: "ms",
      ours: seriesOf(ours, "delayP99Ms"),
      baseline: { name: rawQueue, values: seriesOf(raw, "delayP99Ms") },
    };
    return [...cases, caseOf(delay)];
  },
};

interface OpenRedis {
  readonly name: string;
  /** Of its socket. */
  readonly path: string;
}

/** A smoke run installs nothing: without a `redis-server` it goes without BullMQ. */
async function openRedis(bench: BenchRun, stack: AsyncDisposableStack): Promise<OpenRedis[]> {
  if (bench.quick && findRedisProgram() === undefined) {
    bench.say("  no redis-server here: BullMQ is left out of this smoke run");
    return [];
  }
  const opened: OpenRedis[] = [];
  for (const [how, config] of [
    ["as it comes", {}],
    ["with appendfsync always", { appendonly: "yes", appendfsync: "always" }],
  ] as const) {
    const redis = stack.use(await openRedisServer({ config }));
    const [, version = "?"] = /redis_version:(\S+)/.exec(String(await redis.ask("INFO"))) ?? [];
    const name = `BullMQ, Redis ${version} ${how}`;
    if ("path" in redis.address) opened.push({ name, path: redis.address.path });
  }
  return opened;
}
