/**
 * What runs in other nodes of the fleet, found by name. Contracts do not travel, so the node that
 * runs a service is asked for its description, once for each version of it.
 */

import type { BanyanError, Client } from "@banyan/kernel";
import { kernelErrors, nearest, toBanyanError } from "@banyan/kernel/internal";
import type { Endpoint, Fleet, InstanceRecord } from "@banyan/mesh";
import type { Elsewhere } from "./http/forward-route.ts";
import { nodeContract } from "./node-contract.ts";

type Description = Awaited<ReturnType<Client<typeof nodeContract>["describe"]>>;

/** Descriptions that are remembered; past it the oldest is asked for again. */
const knownMax = 1000;

/** How long one node may take to describe a service: another one may know it as well. */
const describeMs = 1000;
/** Nodes that are asked for one description, one after the other. */
const askedMax = 3;

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
  return providers.length === 0 ? undefined : describedBy(fleet, providers, asked);
}

/** @throws what the last one that was asked said */
async function describedBy(
  fleet: Fleet,
  providers: readonly InstanceRecord[],
  asked: Asked,
): Promise<Description> {
  let failure: unknown = unavailable(asked.service);
  for (const { instance } of providers.slice(0, askedMax)) {
    const client = fleet.clientOf(nodeContract, instance, { caller: nodeContract.name });
    try {
      return await client.describe(asked, { timeoutMs: describeMs });
    } catch (error) {
      failure = error;
    }
  }
  throw toBanyanError(failure);
}

type Operations = ReadonlyMap<string, Endpoint>;

/** The operations of other nodes. */
export function operationsElsewhere(fleet: Fleet): Elsewhere {
  /** By service and version. Those who ask at once share one question. */
  const known = new Map<string, Promise<Operations>>();
  const seen = new Set<string>();
  const operationsOf = (service: string, version: string): Promise<Operations> => {
    const key = `${service} ${version}`;
    const described = known.get(key);
    if (described !== undefined) return described;
    const providers = fleet
      .providersOf(service)
      .filter(({ services }) => services[service] === version);
    const asking = describedBy(fleet, providers, { service }).then(({ operations }) =>
      endpointsOf(fleet, service, operations),
    );
    known.set(key, asking);
    const [oldest] = known.keys();
    if (known.size > knownMax && oldest !== undefined) known.delete(oldest);
    asking.catch(() => known.delete(key)); // asked again by the next call
    return asking;
  };
  return {
    knows(service) {
      const isThere = fleet.providersOf(service).length > 0;
      if (isThere && seen.size < knownMax) seen.add(service);
      return isThere || seen.has(service);
    },
    async find(service, operation) {
      const versions = fleet
        .providersOf(service)
        .flatMap(({ services }) => services[service] ?? []);
      if (versions.length === 0) throw unavailable(service);
      const names: string[] = [];
      // While a new version rolls out, an operation may be in one of two alone.
      for (const version of new Set(versions)) {
        const operations = await operationsOf(service, version);
        const endpoint = operations.get(operation);
        if (endpoint !== undefined) return endpoint;
        names.push(...operations.keys());
      }
      const meant = nearest(operation, names);
      const hint = meant === undefined ? "" : ` The nearest one is "${meant}".`;
      throw kernelErrors.OPERATION_UNKNOWN(
        `The service "${service}", which another node runs, has no operation that can be called ` +
          `as JSON named "${operation}".${hint}`,
      );
    },
  };
}

function endpointsOf(
  fleet: Fleet,
  service: string,
  operations: Description["operations"],
): Operations {
  const endpoints = new Map<string, Endpoint>();
  for (const { name, kind, deadlineMs, idempotent } of operations) {
    if (kind === "raw") continue;
    const full = `${service}.${name}`;
    endpoints.set(name, fleet.endpoint({ service, name: full, kind, deadlineMs, idempotent }));
  }
  return endpoints;
}

/** Nobody runs a service now. */
function unavailable(service: string): BanyanError {
  return kernelErrors.SERVICE_UNAVAILABLE(
    `No node runs the service "${service}" at the moment; start one that does.`,
    { details: { service }, retryAfterMs: 1000 },
  );
}
