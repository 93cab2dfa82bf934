/**
 * What runs in other nodes of the fleet, found by name. Contracts do not travel, so the node that
 * runs a service is asked for its description, once for each version of it.
 */

import type { Client } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import type { Endpoint, Fleet, InstanceRecord } from "@banyan/mesh";
import type { Elsewhere } from "./http/forward-route.ts";
import { nodeContract } from "./node-contract.ts";

type Description = Awaited<ReturnType<Client<typeof nodeContract>["describe"]>>;

/** Descriptions that are remembered; past it the oldest is asked for again. */
const knownMax = 1000;

/** The description of a service that another node runs; `undefined`: none does. */
export async function describeElsewhere(
  fleet: Fleet,
  request: { readonly service: string; readonly operation: string | undefined },
): Promise<Description | undefined> {
  const [provider] = fleet.providersOf(request.service);
  if (provider === undefined) return undefined;
  const { service, operation } = request;
  const asked = operation === undefined ? { service } : { service, operation };
  return clientOf(fleet, provider).describe(asked);
}

function clientOf(fleet: Fleet, { instance }: InstanceRecord): Client<typeof nodeContract> {
  return fleet.clientOf(nodeContract, instance, { caller: nodeContract.name });
}

/** The operations of other nodes. */
export function operationsElsewhere(fleet: Fleet): Elsewhere {
  const known = new Map<string, Promise<ReadonlyMap<string, Endpoint>>>();
  const operationsOf = (service: string, version: string, provider: InstanceRecord) => {
    const key = `${service} ${version}`;
    const asked = known.get(key);
    if (asked !== undefined) return asked;
    const asking = clientOf(fleet, provider)
      .describe({ service })
      .then(({ operations }) => endpointsOf(fleet, service, operations));
    known.set(key, asking);
    const [oldest] = known.keys();
    if (known.size > knownMax && oldest !== undefined) known.delete(oldest);
    asking.catch(() => known.delete(key)); // asked again by the next call
    return asking;
  };
  return {
    runs: (service) => fleet.providersOf(service).length > 0,
    async find(service, operation) {
      const [provider] = fleet.providersOf(service);
      const version = provider?.services[service];
      if (provider === undefined || version === undefined) throw unavailable(service);
      const operations = await operationsOf(service, version, provider);
      const endpoint = operations.get(operation);
      if (endpoint !== undefined) return endpoint;
      const meant = nearest(operation, [...operations.keys()]);
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
): ReadonlyMap<string, Endpoint> {
  const endpoints = new Map<string, Endpoint>();
  for (const { name, kind, deadlineMs, idempotent } of operations) {
    if (kind === "raw") continue;
    const full = `${service}.${name}`;
    endpoints.set(name, fleet.endpoint({ service, name: full, kind, deadlineMs, idempotent }));
  }
  return endpoints;
}

function unavailable(service: string): Error {
  return kernelErrors.SERVICE_UNAVAILABLE(
    `No node runs the service "${service}" at the moment; start one that does.`,
    { details: { service } },
  );
}
