/** One operation over HTTP: servers and load each in a process of their own, servers in turns. */

import type { CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { median } from "../statistics.ts";
import { openSubject } from "../subject-process.ts";
import type { SubjectProcess } from "../subject-process.ts";

const fastify = `bare Fastify ${peerVersion("fastify")} route, same schema`;
const connections = 64;
/** Above this share of its core the load would measure itself. */
const loadBusyMax = 0.95;

interface HttpSample {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  readonly loadBusy: number;
}

/** `HTTP echo, …`: the same request to a node, to Fastify and to Node's own server. */
export const httpEcho: CaseGroup = {
  name: "HTTP echo",
  async run({ fromSource, quick, say }) {
    const open = (file: string) => openSubject(new URL(file, import.meta.url), { fromSource });
    await using stack = new AsyncDisposableStack();
    const files = [
      "../http-load.bench.ts",
      ...["banyan", "fastify", "node"].map((name) => `http-${name}.bench.ts`),
    ];
    const subjects = (await Promise.all(files.map(open))).map((subject) => stack.use(subject));
    const [load, ...servers] = subjects;
    if (load === undefined) throw new Error("The load did not start.");
    const durationMs = quick ? 150 : 300;
    const turns = servers.map((server) => () => askOnce(load, server, durationMs));
    const rounds = quick ? { rounds: 2, warmUp: 1 } : { rounds: 61, warmUp: 7 };
    const samples = await takeTurns(turns, rounds);
    const busy = median(samples.flat().map(({ loadBusy }) => loadBusy));
    const verdict = busy > loadBusyMax ? ": TOO BUSY, these figures measure the load" : "";
    say(`  the load used ${(busy * 100).toFixed(0)} % of a core${verdict}`);
    return casesOf(samples);
  },
};

async function askOnce(
  load: SubjectProcess,
  server: SubjectProcess,
  durationMs: number,
): Promise<HttpSample> {
  const { url = "" } = server.facts;
  await server.ask("cpu", {});
  const figures = await load.ask("load", { url, durationMs, connections });
  const { cpuMicros = NaN } = await server.ask("cpu", {});
  const { rate = NaN, requests = NaN, p50Ms = NaN, p99Ms = NaN, loadBusy = NaN } = figures;
  return { rate, p50Ms, p99Ms, loadBusy, cpuMicros: cpuMicros / requests };
}

function casesOf([ours = [], baseline = [], bare = []]: readonly HttpSample[][]): BenchCase[] {
  const about = (figure: keyof HttpSample): Pick<Measured, "ours" | "baseline" | "peers"> => {
    const values = (samples: readonly HttpSample[]): number[] =>
      samples.map((sample) => sample[figure]);
    const version = process.versions.node;
    return {
      ours: values(ours),
      baseline: { name: fastify, values: values(baseline) },
      peers: [{ name: "node:http, nothing checked", version, values: values(bare) }],
    };
  };
  const where = `HTTP echo, ${connections} connections`;
  return [
    caseOf({
      ...about("rate"),
      name: where,
      unit: "requests/s",
      target: { atLeast: 0.85, times: fastify },
    }),
    caseOf({ ...about("cpuMicros"), name: `${where}, server time`, unit: "µs of CPU/request" }),
    caseOf({ ...about("p50Ms"), name: `${where}, p50`, unit: "ms" }),
    caseOf({ ...about("p99Ms"), name: `${where}, p99`, unit: "ms" }),
  ];
}
