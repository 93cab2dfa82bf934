/** Whole processes: how fast a node starts, what it weighs, how fast the command answers. */

import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { peerVersion } from "../peers.ts";
import { idleMegabytes, startMs } from "../program.ts";
import type { ProgramSpec } from "../program.ts";
import { banyanBin, repositoryRoot } from "../project-folder.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured, PeerSamples } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { nodeFlags } from "../subject-process.ts";
import { makeGreeterFolder } from "./greeter-folder.ts";

const idleMs = 2000;
const cwd = repositoryRoot;
const staysReady = 'console.log("ready"); setInterval(() => {}, 60_000);';
const modules = (code: string): string[] => ["--input-type=module", "-e", code];

const bareNode: ProgramSpec = { args: ["-e", "0"], cwd };
const idleNode: ProgramSpec = { args: ["-e", staysReady], cwd, readyText: "ready" };
const libraries: ProgramSpec = {
  args: [
    "--disable-warning=ExperimentalWarning",
    ...modules(`import "${import.meta.resolve("fastify")}"; import "node:sqlite"; ${staysReady}`),
  ],
  cwd,
  readyText: "ready",
};
const moleculer: ProgramSpec = {
  args: modules(
    `import { ServiceBroker } from "${import.meta.resolve("moleculer")}";
    const broker = new ServiceBroker({ logger: false, metrics: true, tracking: true });
    broker.createService({ name: "greeter", actions: { greet: (context) => context.params } });
    await broker.start();
    ${staysReady}`,
  ),
  cwd,
  readyText: "ready",
};

const names = {
  bareNode: "node -e 0",
  idleNode: "an idle node -e",
  libraries: "importing Fastify and node:sqlite alone",
  moleculer: "moleculer broker, one service, no HTTP, no store",
};

/** `cold start …` and `idle memory …` of the one-service node; `banyan --version`. */
export const startUp: CaseGroup = {
  name: "start-up",
  async run(bench) {
    const { fromSource } = bench;
    await using js = await makeGreeterFolder({ language: "js", fromSource });
    await using ts = await makeGreeterFolder({ language: "ts", fromSource });
    await using caches = await temporaryDirectory();
    const node = (folder: TemporaryDirectory): ProgramSpec => ({
      args: [...nodeFlags(bench), banyanBin(folder, fromSource), "up", "--json", "--port", "0"],
      cwd: folder.path,
      // Its own cache of compiled code, filled by the warm-up and by nobody else.
      env: { TMPDIR: caches.path },
      readyText: '"event":"ready"',
    });
    const uncached = { ...node(js), env: { NODE_DISABLE_COMPILE_CACHE: "1" } };
    return [
      ...(await coldStarts(bench, { js: node(js), uncached, ts: node(ts) })),
      await idleMemory(bench, node(js)),
      await version(bench, banyanBin(js, fromSource)),
    ];
  },
};

interface NodeSpecs {
  readonly js: ProgramSpec;
  readonly uncached: ProgramSpec;
  readonly ts: ProgramSpec;
}

async function coldStarts(bench: BenchRun, { js, uncached, ts }: NodeSpecs): Promise<BenchCase[]> {
  const programs = [js, uncached, ts, bareNode, libraries, moleculer];
  const turns = programs.map((program) => () => startMs(program));
  const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 21, warmUp: 2 };
  const samples = await takeTurns(turns, rounds);
  const [ours = [], first = [], stripped = [], bare = [], alone = [], peer = []] = samples;
  const about: Pick<Measured, "unit" | "baseline" | "peers"> = {
    unit: "ms",
    baseline: { name: names.bareNode, values: bare },
    peers: [librariesPeer(alone), moleculerPeer(peer)],
  };
  const target = { atMost: 350 };
  return [
    caseOf({ ...about, name: "cold start to ready", ours, target }),
    caseOf({ ...about, name: "cold start to ready, nothing cached", ours: first }),
    caseOf({ ...about, name: "cold start to ready, service in TypeScript", ours: stripped }),
  ];
}

async function idleMemory(bench: BenchRun, node: ProgramSpec): Promise<BenchCase> {
  const rounds = bench.quick ? 1 : 9;
  const waitMs = bench.quick ? 100 : idleMs;
  const samples: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    samples.push(await idleMegabytes([node, idleNode, libraries, moleculer], waitMs));
  }
  const series = (index: number): number[] => samples.map((sample) => sample[index] ?? NaN);
  return caseOf({
    name: "idle memory, 2 s after ready",
    unit: "MB resident",
    ours: series(0),
    baseline: { name: names.idleNode, values: series(1) },
    peers: [librariesPeer(series(2)), moleculerPeer(series(3))],
    target: { atMost: 100 },
  });
}

async function version(bench: BenchRun, bin: string): Promise<BenchCase> {
  const command: ProgramSpec = { args: [bin, "--version"], cwd: repositoryRoot };
  const turns = [command, bareNode].map((program) => () => startMs(program));
  const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 31, warmUp: 2 };
  const [ours = [], bare = []] = await takeTurns(turns, rounds);
  return caseOf({
    name: "banyan --version",
    unit: "ms",
    ours,
    baseline: { name: names.bareNode, values: bare },
    target: { atMost: 120 },
  });
}

function librariesPeer(values: readonly number[]): PeerSamples {
  return { name: names.libraries, version: peerVersion("fastify"), values };
}

function moleculerPeer(values: readonly number[]): PeerSamples {
  return { name: names.moleculer, version: peerVersion("moleculer"), values };
}
