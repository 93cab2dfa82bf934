/** Requests and their answers: small and large, many at once and one at a time. */

import { createTestCertificates } from "@banyan/testbed";
import type { CertificatePair } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { askInTurns, seriesOf } from "../embedded/contestants.ts";
import { caseOf } from "../result.ts";
import type { BenchCase, Measured, PeerSamples, Target } from "../result.ts";
import type { RoundsOptions } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { Figures, Question } from "../subject.ts";
import { banyanFiles, openPair, openPeers, rawFiles, rawName } from "./contestants.ts";
import type { Pair, Peer, WireOptions } from "./contestants.ts";
import type { BodySize } from "./ledger.contract.ts";

/** Everybody who takes part in a group. */
interface Field {
  readonly ours: Pair;
  readonly raw: Pair;
  readonly peers: readonly Peer[];
}

type Samples = readonly (readonly Figures[])[];

/** `call, …`: each size of a body, 64 at once and one at a time. */
export const calls: CaseGroup = {
  name: "calls",
  async run(bench) {
    bench.say(
      "  elsewhere: Dapr 1.18 adds 0.91 ms to the p50 of a service invocation over HTTP, as",
    );
    bench.say("  it publishes itself (1 KB, 1000 calls/s, on Azure); no contestant here");
    await using stack = new AsyncDisposableStack();
    const field = await openField(bench, stack);
    const cases: BenchCase[] = [];
    for (const size of ["120 B", "1 KB", "10 KB"] as const) {
      cases.push(...(await callCases(bench, field, size)));
    }
    return cases;
  },
};

/** `10 000 calls at once …`: none is lost. */
export const crowd: CaseGroup = {
  name: "crowd",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const field = await openField(bench, stack);
    const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 7, warmUp: 2 };
    const samples = await askField(
      field,
      { measure: "crowd", question: { count: 10_000 } },
      rounds,
    );
    const of = (figure: string): Omit<Measured, "name" | "unit"> =>
      seriesOfField(field, samples, figure);
    return [
      caseOf({
        ...of("answered"),
        name: "10 000 calls at once: answered",
        unit: "calls",
        target: { atLeast: 10_000 },
      }),
      caseOf({ ...of("tookMs"), name: "10 000 calls at once: until the last", unit: "ms" }),
    ];
  },
};

/** `call over TLS, …`: certificates on both sides, for us and for the baseline; no promise. */
export const encrypted: CaseGroup = {
  name: "TLS",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const { ca, server, client } = stack.use(await createTestCertificates());
    const paths = ({ certificate, key }: CertificatePair): string => [certificate, key, ca].join();
    const tls = { server: paths(server), client: paths(client) };
    const field = { ...(await openBoth(bench, stack, { tls })), peers: [] };
    const cases: BenchCase[] = [];
    for (const work of worksOf("120 B", "call over TLS")) {
      const samples = await askField(field, askedOf(bench, work), roundsOf(bench));
      cases.push(caseOf({ ...work.about, ...seriesOfField(field, samples, work.figure) }));
    }
    return cases;
  },
};

async function openField(bench: BenchRun, stack: AsyncDisposableStack): Promise<Field> {
  return { ...(await openBoth(bench, stack, {})), peers: await openPeers(bench, stack) };
}

async function openBoth(
  bench: BenchRun,
  stack: AsyncDisposableStack,
  options: WireOptions,
): Promise<Omit<Field, "peers">> {
  const ours = await openPair(bench, stack, banyanFiles(options));
  return { ours, raw: await openPair(bench, stack, rawFiles(options)) };
}

interface Asked {
  readonly measure: string;
  readonly question: Question;
}

/** One question, and what is made of the answers. */
interface Work {
  readonly about: { readonly name: string; readonly unit: string };
  readonly size: BodySize;
  readonly inFlight: number;
  readonly figure: "rate" | "p50Ms";
  readonly ofRaw: Target;
  readonly ofPeer: (fastest: string) => Target;
}

function worksOf(size: BodySize, title: string): readonly Work[] {
  return [
    {
      about: { name: `${title}, ${size}, 64 in flight`, unit: "calls/s" },
      size,
      inFlight: 64,
      figure: "rate",
      ofRaw: { atLeast: 0.5, times: rawName },
      ofPeer: (times) => ({ atLeast: 1.8, times }),
    },
    {
      about: { name: `${title}, ${size}, one at a time, p50`, unit: "ms" },
      size,
      inFlight: 1,
      figure: "p50Ms",
      ofRaw: { atMost: 1.25, times: rawName },
      ofPeer: (times) => ({ atMost: 1, times }),
    },
  ];
}

function askedOf({ quick }: BenchRun, { size, inFlight }: Work): Asked {
  return { measure: "calls", question: { size, inFlight, durationMs: quick ? 40 : 300 } };
}

function roundsOf({ quick }: BenchRun): RoundsOptions {
  return quick ? { rounds: 1, warmUp: 0 } : { rounds: 13, warmUp: 3 };
}

async function callCases(bench: BenchRun, field: Field, size: BodySize): Promise<BenchCase[]> {
  const cases: BenchCase[] = [];
  for (const work of worksOf(size, "call")) {
    const samples = await askField(field, askedOf(bench, work), roundsOf(bench));
    const series = seriesOfField(field, samples, work.figure);
    cases.push(caseOf({ ...work.about, ...series, target: work.ofRaw }));
    const fastest = fastestOf(series.peers, work.figure);
    const name = `${work.about.name}, beside the fastest peer`;
    const target = work.ofPeer(fastest.name);
    cases.push(caseOf({ ...work.about, ...series, name, peers: [fastest], target }));
  }
  return cases;
}

function fastestOf(peers: readonly PeerSamples[], figure: Work["figure"]): PeerSamples {
  const [slowest, ...rest] = peers.toSorted((a, b) => median(a.values) - median(b.values));
  const fastest = figure === "rate" ? (rest.at(-1) ?? slowest) : slowest;
  if (fastest === undefined) throw new Error("There is no peer.");
  return fastest;
}

function askField(
  { ours, raw, peers }: Field,
  asked: Asked,
  rounds: RoundsOptions,
): Promise<Samples> {
  const clients = [ours, raw, ...peers].map(({ client }) => ({ ...asked, subject: client }));
  return askInTurns(clients, rounds);
}

function seriesOfField(
  { peers }: Field,
  [own, raw, ...others]: Samples,
  figure: string,
): Required<Pick<Measured, "ours" | "baseline" | "peers">> {
  return {
    ours: seriesOf(own, figure),
    baseline: { name: rawName, values: seriesOf(raw, figure) },
    peers: peers.map(({ name, version }, at) => {
      return { name, version, values: seriesOf(others[at], figure) };
    }),
  };
}
