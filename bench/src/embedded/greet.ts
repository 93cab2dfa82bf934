/** One operation with a durable update and a durable event, over HTTP. */

import { mkdir } from "node:fs/promises";
import { temporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { openSubjects } from "./contestants.ts";

const each = "bare Fastify, both writes in one commit a request";
const grouped = "Fastify, a commit a turn of the event loop, grouped by hand";

interface GreetSample {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

/** `greet, …`. */
export const greet: CaseGroup = {
  name: "greet",
  async run(bench) {
    await using folder = await temporaryDirectory("bench");
    await mkdir(folder.join("banyan"));
    await using stack = new AsyncDisposableStack();
    const [load, ...servers] = await openSubjects(bench, stack, [
      ["../http-load.bench.ts", "greet"],
      ["greet-banyan.bench.ts", folder.join("banyan")],
      ["greet-fastify.bench.ts", folder.join("each.db"), "each"],
      ["greet-fastify.bench.ts", folder.join("grouped.db"), "grouped"],
    ]);
    if (load === undefined) throw new Error("The load did not start.");
    const cases: BenchCase[] = [];
    for (const connections of [64, 1]) {
      const round = { connections, durationMs: bench.quick ? 100 : 300 };
      const turns = servers.map((server) => () => askOnce(load, server, round));
      const samples = await takeTurns(turns, roundsOf(bench, connections));
      cases.push(...casesOf(connections, samples));
    }
    return cases;
  },
};

function roundsOf(
  { quick }: BenchRun,
  connections: number,
): { readonly rounds: number; readonly warmUp: number } {
  if (quick) return { rounds: 1, warmUp: 1 };
  return connections === 1 ? { rounds: 11, warmUp: 2 } : { rounds: 31, warmUp: 5 };
}

/** The time counts until the last event is handled. */
async function askOnce(
  load: SubjectProcess,
  server: SubjectProcess,
  round: { readonly connections: number; readonly durationMs: number },
): Promise<GreetSample> {
  const { url = "" } = server.facts;
  await server.ask("cpu", {});
  const figures = await load.ask("load", { url, ...round });
  const { rate = NaN, requests = NaN, p50Ms = NaN, p99Ms = NaN } = figures;
  const { settleMs = NaN } = await server.ask("settle", { requests });
  const { cpuMicros = NaN } = await server.ask("cpu", {});
  const elapsedMs = (requests / rate) * 1000 + settleMs;
  return {
    rate: (requests / elapsedMs) * 1000,
    p50Ms,
    p99Ms,
    cpuMicros: cpuMicros / requests,
  };
}

function casesOf(
  connections: number,
  [ours = [], single = [], byHand = []]: readonly GreetSample[][],
): BenchCase[] {
  const about = (figure: keyof GreetSample): Pick<Measured, "ours" | "baseline" | "peers"> => {
    const values = (samples: readonly GreetSample[]): number[] =>
      samples.map((sample) => sample[figure]);
    return {
      ours: values(ours),
      baseline: { name: each, values: values(single) },
      peers: [{ name: grouped, version: peerVersion("fastify"), values: values(byHand) }],
    };
  };
  const where = `greet, ${connections === 1 ? "1 connection" : `${connections} connections`}`;
  const rate = { ...about("rate"), name: where, unit: "requests/s" };
  if (connections === 1) return [caseOf(rate)];
  return [
    caseOf({ ...rate, target: { atLeast: 0.85, times: each } }),
    caseOf({ ...about("cpuMicros"), name: `${where}, server time`, unit: "µs of CPU/request" }),
    caseOf({ ...about("p50Ms"), name: `${where}, p50`, unit: "ms" }),
    caseOf({ ...about("p99Ms"), name: `${where}, p99`, unit: "ms" }),
  ];
}
