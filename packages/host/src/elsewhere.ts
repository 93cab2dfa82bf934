/**
 * What runs in other nodes of the fleet, found by name. Contracts do not travel, so the node that
 * runs a service is asked for its description, which is kept for each version of it.
 */

import type { BanyanError, Client, Clock } from "@banyan/kernel";
import { kernelErrors, nearest, toBanyanError } from "@banyan/kernel/internal";
import type { Fleet, InstanceRecord } from "@banyan/mesh";
import type { Elsewhere, Passed } from "./http/forward-route.ts";
import { fits } from "./http/not-found.ts";
import { shown } from "./http/shown.ts";
import { nodeContract } from "./node-contract.ts";

type Description = Awaited<ReturnType<Client<typeof nodeContract>["describe"]>>;

/** Descriptions that are remembered; past it the oldest is asked for again. */
const knownMax = 1000;

/** How long one node may take to describe a service: another one may know it as well. */
const describeMs = 1000;
/** Nodes that are asked for one description, one after the other. */
const askedMax = 3;
/** Between two questions for what a known description does not have. */
const againMs = 1000;
/** Nodes that an answer names. */
const shownMax = 3;

interface Asked {
  readonly service: string;
  readonly operation?: string;
}

/** The description of a service that another node runs; `undefined`: none does. */
export async function describeElsewhere(
  fleet: Fleet,
  asked: Asked,
): Promise<Description | undefined> {
  const providers = fleet.providersOf(asked.service);
  return providers.length === 0 ? undefined : (await describedBy(fleet, providers, asked)).answer;
}

/** @throws what the last one that was asked said */
async function describedBy(
  fleet: Fleet,
  providers: readonly InstanceRecord[],
  asked: Asked,
): Promise<{ readonly answer: Description; readonly by: string }> {
  let failure: unknown = unavailable(asked.service);
  for (const { instance } of providers.slice(0, askedMax)) {
    const client = fleet.clientOf(nodeContract, instance, { caller: nodeContract.name });
    try {
      const answer = await client.describe(asked, { timeoutMs: describeMs });
      return { answer, by: instance };
    } catch (error) {
      failure = error;
    }
  }
  throw toBanyanError(failure);
}

/** What is known of one version of a service. */
interface Known {
  /** By path within the service, `admin/reset`; `undefined`: nobody has described it yet. */
  operations: Operations | undefined;
  /** The instance that described it. */
  by: string;
  askedAtMs: number;
  /** Those who ask at once share one question. */
  asking: Promise<Operations> | undefined;
}

type Operations = ReadonlyMap<string, Passed | RawOperation>;

interface RawOperation {
  readonly name: string;
  readonly method: string;
  /** As declared: `/files/:name`. */
  readonly path: string;
}

/** The operations of other nodes. */
export function operationsElsewhere(fleet: Fleet, clock: Clock): Elsewhere {
  const descriptions = new Descriptions(fleet, clock);
  const seen = new Set<string>();
  return {
    knows(service) {
      const isThere = fleet.providersOf(service).length > 0;
      if (isThere && seen.size < knownMax) seen.add(service);
      return isThere || seen.has(service);
    },
    async find(service, path) {
      const versions = versionsOf(fleet, service);
      if (versions.length === 0) throw unavailable(service);
      // While a new version rolls out, an operation may be in one of two alone.
      for (const version of versions) {
        const found = (await descriptions.of(service, version)).get(path);
        if (found !== undefined) return passedOn(fleet, service, found);
      }
      // Who develops adds operations to a version that others know already.
      const paths: string[] = [];
      for (const version of versions) {
        const operations = await descriptions.askAgain(service, version);
        const found = operations.get(path);
        if (found !== undefined) return passedOn(fleet, service, found);
        paths.push(...operations.keys());
      }
      throw unknownOperation(service, path, paths);
    },
    async refuseRaw(path) {
      const all = servicesOf(fleet).flatMap((service) =>
        versionsOf(fleet, service).map(async (version) => {
          const operations = await descriptions.ofAny(service, version);
          const raw = [...operations.values()].find((each) => isRaw(each) && fits(path, each.path));
          if (raw !== undefined) passedOn(fleet, service, raw);
        }),
      );
      await Promise.all(all);
    },
  };
}

const none: Operations = new Map();

/**
 * What other nodes say of their services.
 *
 * E1. A description is good while the instance that gave it is there: one that was started anew may
 *     have other operations under the same version. Where nobody can give a new one, the old stays.
 * E2. A stranger who asks for what is not there makes this node ask once in `againMs`.
 */
class Descriptions {
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  /** By service and version. */
  readonly #known = new Map<string, Known>();

  constructor(fleet: Fleet, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  /** @throws why nobody could describe it */
  of(service: string, version: string): Promise<Operations> {
    const { operations, by } = this.#entry(service, version);
    const isGood =
      operations !== undefined &&
      this.#fleet.providersOf(service).some(({ instance }) => instance === by);
    return isGood ? Promise.resolve(operations) : this.askAgain(service, version);
  }

  /** Without an error: of what cannot be described nothing is known, and that for `againMs`. */
  async ofAny(service: string, version: string): Promise<Operations> {
    const { operations, asking, askedAtMs } = this.#entry(service, version);
    const hasFailed = operations === undefined && asking === undefined;
    if (hasFailed && this.#clock.monotonicMs() - askedAtMs < againMs) return none;
    return this.of(service, version).catch(() => none);
  }

  /** What it says now, or said less than `againMs` ago. @throws why nobody could describe it */
  askAgain(service: string, version: string): Promise<Operations> {
    const entry = this.#entry(service, version);
    if (entry.asking !== undefined) return entry.asking;
    const nowMs = this.#clock.monotonicMs();
    if (entry.operations !== undefined && nowMs - entry.askedAtMs < againMs) {
      return Promise.resolve(entry.operations);
    }
    entry.askedAtMs = nowMs;
    entry.asking = this.#ask(entry, service, version).finally(() => {
      entry.asking = undefined;
    });
    return entry.asking;
  }

  async #ask(entry: Known, service: string, version: string): Promise<Operations> {
    const providers = this.#fleet
      .providersOf(service)
      .filter(({ services }) => services[service] === version);
    try {
      const { answer, by } = await describedBy(this.#fleet, providers, { service });
      const operations = endpointsOf(this.#fleet, service, answer.operations);
      entry.by = by;
      entry.operations = operations;
      return operations;
    } catch (error) {
      if (entry.operations !== undefined) return entry.operations;
      throw error;
    }
  }

  #entry(service: string, version: string): Known {
    const key = `${service} ${version}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const entry: Known = { operations: undefined, by: "", askedAtMs: -Infinity, asking: undefined };
    this.#known.set(key, entry);
    const [oldest] = this.#known.keys();
    if (this.#known.size > knownMax && oldest !== undefined) this.#known.delete(oldest);
    return entry;
  }
}

function versionsOf(fleet: Fleet, service: string): readonly string[] {
  const all = fleet.providersOf(service).flatMap(({ services }) => services[service] ?? []);
  return [...new Set(all)];
}

function servicesOf(fleet: Fleet): readonly string[] {
  const all = fleet.instances().flatMap(({ services }) => Object.keys(services));
  return [...new Set(all)].filter((service) => service !== nodeContract.name);
}

function endpointsOf(
  fleet: Fleet,
  service: string,
  operations: Description["operations"],
): Operations {
  const endpoints = new Map<string, Passed | RawOperation>();
  for (const { name, kind, method, path, ...operation } of operations) {
    const { payloadBytesMax, deadlineMs, idempotent, streamAhead } = operation;
    const within = name.replaceAll(".", "/");
    if (kind === "raw") {
      endpoints.set(within, { name, method, path });
      continue;
    }
    const full = `${service}.${name}`;
    const wanted = { service, name: full, kind, deadlineMs, idempotent, streamAhead };
    const endpoint = fleet.endpoint(wanted);
    endpoints.set(within, { endpoint, payloadBytesMax });
  }
  return endpoints;
}

function isRaw(found: Passed | RawOperation): found is RawOperation {
  return !("endpoint" in found);
}

/** @throws OPERATION_UNKNOWN for a raw exchange, with how it is called */
function passedOn(fleet: Fleet, service: string, found: Passed | RawOperation): Passed {
  if (!isRaw(found)) return found;
  const { name, method, path } = found;
  const nodes = [...new Set(fleet.providersOf(service).map(({ node }) => node))].slice(0, shownMax);
  throw kernelErrors.OPERATION_UNKNOWN(
    `${service}.${name} is a raw HTTP exchange, which nodes do not pass on. Send ${method} ${path} ` +
      `to a node that runs the service "${service}": ${nodes.join(", ")}.`,
    { details: { service, nodes } },
  );
}

function unknownOperation(service: string, path: string, paths: readonly string[]): BanyanError {
  const meant = nearest(path, paths);
  const hint = meant === undefined ? "" : ` The nearest one is POST /${service}/${meant}.`;
  return kernelErrors.OPERATION_UNKNOWN(
    `The service "${service}", which another node runs, has no operation ` +
      `${shown(path.replaceAll("/", "."))}.${hint}`,
  );
}

/** Nobody runs a service now. */
function unavailable(service: string): BanyanError {
  return kernelErrors.SERVICE_UNAVAILABLE(
    `No node runs the service "${service}" at the moment; start one that does.`,
    { details: { service }, retryAfterMs: 1000 },
  );
}
