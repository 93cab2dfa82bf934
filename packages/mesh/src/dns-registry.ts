/**
 * Nodes by a name: all addresses that it has, with one port for all; or, where the name begins with
 * `_`, the hosts and ports of its SRV records.
 *
 * N1. A name that has no addresses, or is none, has no nodes. While DNS fails to answer, what was
 *     known stays known.
 */

import { Resolver } from "node:dns/promises";
import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import { meshErrors } from "./errors.ts";
import { seedsMax } from "./read-only-registry.ts";
import type { ReadOnlyRegistry, Seed, SeedList } from "./read-only-registry.ts";

export interface DnsRegistryOptions {
  /** A full name: no search domain is tried. `_mesh._tcp.shop.example`: SRV records. */
  readonly host: string;
  /** Of all nodes. Left out where SRV records tell it. */
  readonly port?: number | undefined;
  /** Whoever answers must be of this app. Left out: of any. */
  readonly app?: string | undefined;
  /** Whom to ask. Default: the system's servers. */
  readonly resolver?: Resolver | undefined;
  readonly clock?: Clock | undefined;
}

/** An answer holds at least for so long, and for as long as its records do. */
const answerMs = 1000;

/** @throws MESH_OPTIONS_INVALID; `read` throws MESH_REGISTRY_UNAVAILABLE */
export function dnsRegistry(options: DnsRegistryOptions): ReadOnlyRegistry {
  const { host, port, clock = systemClock } = options;
  const asksServices = host.startsWith("_");
  if (host === "" || (!asksServices && !isPort(port))) {
    throw meshErrors.MESH_OPTIONS_INVALID(
      `A registry by DNS has the name "${host}" and the port ${String(port)}; it needs a name and a ` +
        "port from 1 to 65535, or the name of SRV records, which begins with _.",
    );
  }
  const { resolver = new Resolver({ timeout: 1000, tries: 2 }), app } = options;
  let known: { readonly list: SeedList; readonly untilMs: number } | undefined;
  return {
    readOnly: true,
    async read() {
      const nowMs = clock.monotonicMs();
      if (known !== undefined && nowMs < known.untilMs) return known.list;
      const found = asksServices
        ? await servicesOf(resolver, host)
        : await addressesOf(resolver, host, port ?? 0);
      const seeds = found.seeds.slice(0, seedsMax).map((seed) => ({ ...seed, app }));
      known = { list: { seeds }, untilMs: nowMs + Math.max(answerMs, found.ttlMs) };
      return known.list;
    },
  };
}

interface Found {
  readonly seeds: readonly Seed[];
  /** Of the record that holds for the shortest time; 0: not known. */
  readonly ttlMs: number;
}

async function addressesOf(resolver: Resolver, host: string, port: number): Promise<Found> {
  const answers = await Promise.allSettled([
    answerOf(resolver.resolve4(host, { ttl: true })),
    answerOf(resolver.resolve6(host, { ttl: true })),
  ]);
  const records = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const failed = answers.find(({ status }) => status === "rejected");
  // Half an answer is one where it has addresses; that there are none must be said by both.
  if (records.length === 0 && failed?.status === "rejected") throw away(host, failed.reason);
  const ttls = records.map(({ ttl }) => ttl * 1000);
  const seeds = records.map(({ address }) => ({ host: address, port }));
  return { seeds, ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls) };
}

async function servicesOf(resolver: Resolver, host: string): Promise<Found> {
  const records = await answerOf(resolver.resolveSrv(host)).catch((cause: unknown) => {
    throw away(host, cause);
  });
  const found = await Promise.all(
    records.slice(0, seedsMax).map(({ name, port }) => addressesOf(resolver, name, port)),
  );
  const ttls = found.map(({ ttlMs }) => ttlMs);
  const seeds = found.flatMap((each) => each.seeds);
  return { seeds, ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls) };
}

/** "There is none" is an answer (N1). */
async function answerOf<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await asked;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOTFOUND" || code === "ENODATA") return [];
    throw error;
  }
}

function isPort(port: number | undefined): boolean {
  return port !== undefined && Number.isInteger(port) && port > 0 && port < 65_536;
}

function away(host: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return meshErrors.MESH_REGISTRY_UNAVAILABLE(
    `DNS does not say which nodes ${host} has: ${why}. It is asked again.`,
    { cause },
  );
}
