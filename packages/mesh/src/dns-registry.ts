/**
 * Nodes by a name: all addresses that it has, with one port for all; or, where the name begins with
 * `_`, the hosts and ports of its SRV records.
 *
 * N1. A name that has no addresses, or is none, has no nodes. While DNS fails to answer, what was
 *     known stays known; where it fails for one kind of record, that of this kind.
 * N2. What an answer leaves out is gone when several have left it out, and for a while: answers
 *     may be parts, and an empty one is no order to take everybody out at once.
 */

import { Resolver } from "node:dns/promises";
import { systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Random } from "@banyan/kernel";
import { meshErrors } from "./errors.ts";
import { seedsMax } from "./read-only-registry.ts";
import type { ReadOnlyRegistry, Seed, SeedList } from "./read-only-registry.ts";
import { RememberedAnswers } from "./remembered-answers.ts";

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
  readonly random?: Random | undefined;
}

/** An answer holds at least for so long, and for as long as its records do. */
const answerMs = 1000;
/** By this share longer at most, so that not all nodes ask at once. */
const jitter = 0.1;

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
  const { resolver = new Resolver({ timeout: 1000, tries: 2 }), app, random } = options;
  const desk = new DnsDesk(resolver, clock);
  let known: { readonly list: SeedList; readonly untilMs: number } | undefined;
  return {
    readOnly: true,
    async read() {
      const nowMs = clock.monotonicMs();
      if (known !== undefined && nowMs < known.untilMs) return known.list;
      const found = asksServices
        ? await desk.servicesOf(host)
        : await desk.addressesOf(host, port ?? 0);
      if (found.failure !== undefined) throw away(host, found.failure);
      desk.forgetOthers();
      const seeds = found.seeds.slice(0, seedsMax).map((seed) => ({ ...seed, app }));
      const holdsMs = Math.max(answerMs, found.ttlMs);
      const later = 1 + (random ?? systemRandom).next() * jitter;
      known = { list: { seeds }, untilMs: nowMs + holdsMs * later };
      return known.list;
    },
  };
}

interface Found {
  readonly seeds: readonly Seed[];
  /** Of the record that holds for the shortest time; 0: not known. */
  readonly ttlMs: number;
  /** It is not known what there is. */
  readonly failure?: unknown;
}

interface Answer<T> {
  /** What is known of it (N2). */
  readonly records: readonly T[];
  /** What it said this time. */
  readonly told: readonly T[];
  readonly failure?: unknown;
}

interface Address {
  readonly address: string;
  readonly ttl: number;
}

/** Asks, and remembers what was answered, by name and kind of record. */
class DnsDesk {
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, RememberedAnswers<Address>>();
  readonly #services = new RememberedAnswers<{ name: string; port: number }>(
    ({ name, port }) => `${name} ${port}`,
  );
  /** Of this round. */
  readonly #asked = new Set<string>();

  constructor(resolver: Resolver, clock: Clock) {
    this.#resolver = resolver;
    this.#clock = clock;
  }

  async addressesOf(host: string, port: number): Promise<Found> {
    const resolver = this.#resolver;
    const answers = await Promise.all([
      this.#ask(this.#memoryOf(`${host} A`), resolver.resolve4(host, { ttl: true })),
      this.#ask(this.#memoryOf(`${host} AAAA`), resolver.resolve6(host, { ttl: true })),
    ]);
    const records = answers.flatMap((answer) => answer.records);
    const failures = answers.map(({ failure }) => failure).filter((each) => each !== undefined);
    // Half an answer is one where it has addresses; that there are none must be said by both.
    const isUnknown = failures.length === answers.length || records.length === 0;
    const ttls = answers.flatMap(({ told }) => told.map(({ ttl }) => ttl * 1000));
    return {
      seeds: records.map(({ address }) => ({ host: address, port })),
      ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls),
      failure: isUnknown ? failures[0] : undefined,
    };
  }

  async servicesOf(host: string): Promise<Found> {
    const { records, failure } = await this.#ask(this.#services, this.#resolver.resolveSrv(host));
    if (failure !== undefined) return { seeds: [], ttlMs: 0, failure };
    const found = await Promise.all(
      records.slice(0, seedsMax).map(({ name, port }) => this.addressesOf(name, port)),
    );
    const failures = found.map((each) => each.failure).filter((each) => each !== undefined);
    const ttls = found.filter((each) => each.failure === undefined).map(({ ttlMs }) => ttlMs);
    return {
      seeds: found.flatMap((each) => each.seeds),
      ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls),
      // One host that is not known does not hide the others.
      failure: failures.length === found.length ? failures[0] : undefined,
    };
  }

  /** Hosts that no service record named this time. */
  forgetOthers(): void {
    for (const key of this.#addresses.keys()) {
      if (!this.#asked.has(key)) this.#addresses.delete(key);
    }
    this.#asked.clear();
  }

  /** Never rejects. "There is none" is an answer (N1). */
  async #ask<T>(memory: RememberedAnswers<T>, asked: Promise<readonly T[]>): Promise<Answer<T>> {
    let told: readonly T[] = [];
    try {
      told = await asked;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const isAnswer = code === "ENOTFOUND" || code === "ENODATA";
      if (!isAnswer) return { records: memory.values, told, failure: error };
    }
    memory.add(told, this.#clock.monotonicMs());
    return { records: memory.values, told };
  }

  #memoryOf(key: string): RememberedAnswers<Address> {
    this.#asked.add(key);
    let memory = this.#addresses.get(key);
    memory ??= new RememberedAnswers<Address>(({ address }) => address);
    this.#addresses.set(key, memory);
    return memory;
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
