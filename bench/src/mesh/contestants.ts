/** Who takes part in the area `mesh`: a process that serves and one that calls it, for each. */

import { openNats } from "@banyan/testbed";
import type { BenchRun } from "../area.ts";
import { peerVersion } from "../peers.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { openSubject } from "../subject-process.ts";
import { guarantees } from "./guarantees.ts";

/** A file beside this one and its arguments. */
export interface SubjectFile {
  readonly file: string;
  readonly args: readonly string[];
}

/** The client is told where the server is, behind its own arguments. */
export interface PairFiles {
  readonly server: SubjectFile;
  readonly client: SubjectFile;
}

export interface Pair {
  readonly server: SubjectProcess;
  readonly client: SubjectProcess;
}

export interface Peer extends Pair {
  readonly name: string;
  readonly version: string;
}

export const rawName = "framed TCP by hand";

export interface WireOptions {
  readonly streamAhead?: number;
  /** `certificate,key,authority` of each side. */
  readonly tls?: { readonly server: string; readonly client: string };
}

export function banyanFiles({ streamAhead = 0, tls }: WireOptions = {}): PairFiles {
  const server = tls === undefined ? [] : [tls.server];
  return {
    server: { file: "banyan-server.bench.ts", args: server },
    client: { file: "banyan-client.bench.ts", args: [String(streamAhead), tls?.client ?? ""] },
  };
}

export function rawFiles({ tls }: WireOptions = {}): PairFiles {
  return {
    server: { file: "raw-server.bench.ts", args: tls === undefined ? [] : [tls.server] },
    client: { file: "raw-client.bench.ts", args: [tls?.client ?? ""] },
  };
}

export async function openPair(
  bench: BenchRun,
  stack: AsyncDisposableStack,
  { server, client }: PairFiles,
): Promise<Pair> {
  const serving = stack.use(await openBeside(bench, server));
  const { address = "" } = serving.facts;
  const args = [...client.args, String(address)];
  return { server: serving, client: stack.use(await openBeside(bench, { ...client, args })) };
}

export function openBeside(
  { fromSource }: BenchRun,
  { file, args }: SubjectFile,
): Promise<SubjectProcess> {
  return openSubject(new URL(file, import.meta.url), { args, fromSource });
}

/** Each with a pair of its own, one after the other; NATS is a third process, shared by nobody. */
export async function openPeers(bench: BenchRun, stack: AsyncDisposableStack): Promise<Peer[]> {
  const nats = stack.use(await openNats());
  const opened: Peer[] = [];
  const files: readonly (readonly [string, string, string, ...string[]])[] = [
    [guarantees.moleculer.name, "moleculer", "moleculer.bench.mjs", "tcp"],
    [guarantees.moleculerNats.name, "moleculer", "moleculer.bench.mjs", nats.url],
    [guarantees.nest.name, "@nestjs/microservices", "nest.bench.mjs"],
    [guarantees.fastify.name, "fastify", "fastify.bench.ts"],
  ];
  for (const [name, packageName, file, ...args] of files) {
    const pair = await openPair(bench, stack, {
      server: { file, args: ["server", ...args] },
      client: { file, args: ["client", ...args] },
    });
    opened.push({ ...pair, name, version: peerVersion(packageName) });
  }
  return opened;
}
