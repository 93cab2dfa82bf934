/** A store on Redis beside ioredis, written by hand, and beside unstorage and Keyv. */

import { openRedisServer } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { askInTurns, openSubjects, seriesOf } from "../embedded/contestants.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase } from "../result.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { besidePeers } from "./beside-peers.ts";
import type { KeyValueMeasure } from "./key-values.ts";

const keys = 5000;
const crowds = [64, 512];

interface Work {
  /** As the subjects call it, and the case. */
  readonly measure: "get" | "set" | "conditional";
  readonly unit: string;
  readonly raw: string;
  /** A measure of the raw subject that does less, for information. */
  readonly bare?: readonly [measure: string, name: string];
}

const byHand = {
  get: "ioredis, HMGET of value, etag and version",
  set: "ioredis, HSET of the same and ZADD to an index",
  has: "ioredis, EXISTS",
  setAndDelete: "ioredis, HSET and ZADD, then DEL and ZREM",
} as const;

const works: readonly Work[] = [
  {
    measure: "get",
    unit: "gets/s",
    raw: byHand.get,
    bare: ["bareGet", "ioredis, bare GET of the value"],
  },
  {
    measure: "set",
    unit: "sets/s",
    raw: byHand.set,
    bare: ["bareSet", "ioredis, bare SET of the value"],
  },
  {
    measure: "conditional",
    unit: "sets/s",
    raw: "ioredis, a script: HGET, compare, HSET, ZADD",
  },
];

const beside = {
  what: "redis",
  baseline: (measure: KeyValueMeasure) => byHand[measure],
  peers: ["unstorage, ioredis with automatic pipelining", "Keyv, @redis/client"],
} as const;

/** `redis get …`, `redis set …`, `redis conditional set …`. */
export const redisStore: CaseGroup = {
  name: "redis",
  async run(bench) {
    await using server = await openRedisServer({ config: { save: "" } });
    await using stack = new AsyncDisposableStack();
    const { address } = server;
    const place = "path" in address ? address.path : "";
    const count = String(keys);
    const subjects = await openSubjects(bench, stack, [
      ["../state/redis-banyan.bench.ts", place, count],
      ["../state/redis-raw.bench.ts", place, count],
      ["../state/peer-unstorage.bench.mjs", "redis", count, place],
      ["../state/peer-keyv.bench.mjs", "redis", count, place],
    ]);
    const cases: BenchCase[] = [];
    for (const work of works) {
      for (const inFlight of crowds) cases.push(await caseFor(work, inFlight, { bench, subjects }));
    }
    for (const inFlight of crowds) {
      cases.push(...(await besidePeers({ ...beside, inFlight }, bench, subjects)));
    }
    return cases;
  },
};

async function caseFor(
  { measure, unit, raw, bare }: Work,
  inFlight: number,
  { bench, subjects }: { readonly bench: BenchRun; readonly subjects: readonly SubjectProcess[] },
): Promise<BenchCase> {
  const [ours, theirs] = subjects;
  const question = { inFlight, durationMs: bench.quick ? 30 : 250 };
  const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 21, warmUp: 4 };
  const asked = [
    { subject: ours, measure, question },
    { subject: theirs, measure, question },
    ...(bare === undefined ? [] : [{ subject: theirs, measure: bare[0], question }]),
  ];
  const [own, byHand, less] = await askInTurns(asked, rounds);
  const label = measure === "conditional" ? "conditional set" : measure;
  const version = peerVersion("ioredis");
  return caseOf({
    name: `redis ${label}, 5 000 keys, ${inFlight} in flight`,
    unit,
    ours: seriesOf(own, "rate"),
    baseline: { name: raw, values: seriesOf(byHand, "rate") },
    peers: bare === undefined ? [] : [{ name: bare[1], version, values: seriesOf(less, "rate") }],
    target: { atLeast: 0.85, times: raw },
  });
}
