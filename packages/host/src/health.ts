/**
 * Health: alive, ready, and why not.
 *
 * `/healthz` says that the process serves; it must not depend on anything else, because its failure
 * gets the process killed. `/readyz` says whether calls should be sent here.
 */

import { toBanyanError } from "@banyan/kernel/internal";
import type { BanyanError, Clock, Health } from "@banyan/kernel";
import type { Fleet } from "@banyan/mesh";
import type { NodeEngines } from "./engines.ts";
import type { ServiceInstance } from "./service-instance.ts";
import { missingInFleet } from "./start-services.ts";
import { within } from "./within.ts";

export type NodePhase = "starting" | "ready" | "draining" | "stopped";

/** How long one part may take to say how it is. */
const probeLimitMs = 2000;

/** Where it is and why is for the log: anybody may read this. */
const notThere = "its server is not there yet";

/** A service or an engine in `/readyz`. */
export interface PartHealth {
  readonly state: string;
  readonly reason?: string;
}

/** Body of `/readyz`. */
export interface Readiness {
  readonly status: "ready" | "degraded" | "not ready";
  readonly phase: NodePhase;
  /** Why the node ends itself; left out: it does not. */
  readonly reason?: string;
  readonly services: Readonly<Record<string, PartHealth>>;
  readonly engines: Readonly<Record<string, PartHealth>>;
}

/** What is asked. */
export interface Probed {
  readonly phase: NodePhase;
  readonly failure?: BanyanError | undefined;
  readonly instances: readonly ServiceInstance[];
  readonly engines: NodeEngines | undefined;
  readonly joined?: { readonly fleet: Fleet } | undefined;
  /** Engines whose server was not there, open by now or not. */
  readonly waitedFor?: Iterable<string>;
  readonly clock: Clock;
}

export async function probeReadiness(node: Probed): Promise<Readiness> {
  const { phase, failure, instances, engines, clock } = node;
  const services = await Promise.all(
    instances.map(
      async (instance) => [instance.name, await probeService(instance, clock)] as const,
    ),
  );
  const parts = [
    ...[...(engines?.state ?? [])].map(([name, engine]) => [`state:${name}`, engine] as const),
    ...[...(engines?.buses ?? [])].map(([name, bus]) => [`bus:${name}`, bus] as const),
  ];
  const probed = await Promise.all(
    parts.map(async ([name, part]) => [name, await probeEngine(part, clock)] as const),
  );
  const relayed = [...(engines?.relays ?? [])].map(
    ([name, relay]) => [`outbox:${name}`, partOf(relay.health())] as const,
  );
  const joined = node.joined === undefined ? [] : [fleetPart(node.joined.fleet, instances)];
  const waiting = [...(node.waitedFor ?? [])]
    .filter((name) => engines?.state.has(name) !== true)
    .map((name) => [`state:${name}`, { state: "unhealthy", reason: notThere }] as const);
  const all = [...services, ...probed, ...relayed, ...joined].map(([, health]) => health.state);
  const broken = phase !== "ready" || all.includes("unhealthy");
  return {
    status: broken ? "not ready" : all.includes("degraded") ? "degraded" : "ready",
    phase,
    ...(failure === undefined ? {} : { reason: failure.message }),
    services: Object.fromEntries(services),
    engines: Object.fromEntries([...waiting, ...probed, ...relayed, ...joined]),
  };
}

/** A node that was drained by hand is not ready; one that misses others does what it can. */
function fleetPart(fleet: Fleet, instances: readonly ServiceInstance[]): [string, PartHealth] {
  if (fleet.isDraining) {
    return ["mesh", { state: "unhealthy", reason: "it is drained and takes no calls" }];
  }
  const missing = new Set(missingInFleet(instances, fleet).map(({ contract }) => contract.name));
  if (missing.size === 0) return ["mesh", { state: "running" }];
  const reason = `no node runs ${[...missing].join(", ")}, which services here use`;
  return ["mesh", { state: "degraded", reason }];
}

/** A running service's own word; otherwise where it is in its life. */
export async function probeService(instance: ServiceInstance, clock: Clock): Promise<PartHealth> {
  if (instance.state !== "running") return { state: instance.state };
  return partOf(await instance.health({ clock, limitMs: probeLimitMs }));
}

function partOf(health: Health): PartHealth {
  if (health.kind === "healthy") return { state: "running" };
  return { state: health.kind, reason: health.reason };
}

interface Checkable {
  check(options: { signal: AbortSignal }): unknown;
}

/** The reason may be read by anybody, so it is a sendable message and never a raw cause. */
async function probeEngine(part: Checkable, clock: Clock): Promise<PartHealth> {
  const patience = new AbortController();
  try {
    const checked = Promise.try(() => part.check({ signal: patience.signal }));
    const outcome = await within({ clock, limitMs: probeLimitMs }, checked);
    if (outcome.kind === "done") return { state: "running" };
    return { state: "unhealthy", reason: `it did not answer within ${probeLimitMs} ms` };
  } catch (error) {
    return { state: "unhealthy", reason: toBanyanError(error).message };
  } finally {
    patience.abort();
  }
}
