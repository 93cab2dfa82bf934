/**
 * Runs the start hooks of a node's services, in the order of the plan; in a fleet a service that
 * uses one of another node starts when that is there, and others do not wait for it.
 */

import { isCompatibleVersion } from "@banyan/kernel/internal";
import type { AnyContract, Clock, Log } from "@banyan/kernel";
import type { Fleet } from "@banyan/mesh";
import { hostErrors } from "./errors.ts";
import type { ServiceInstance } from "./service-instance.ts";
import { within } from "./within.ts";
import type { Patience } from "./within.ts";

export interface StartServicesOptions {
  readonly instances: readonly ServiceInstance[];
  /** `undefined`: the node is alone, and the plan has seen to it that nothing lacks. */
  readonly fleet: Fleet | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** For all of them together, in milliseconds. */
  readonly limitMs: number;
  /** The program has lost interest. */
  readonly signal: AbortSignal | undefined;
  /** Told to the hooks: nobody waits for them any more. */
  readonly stopping: AbortSignal;
  /** @throws NODE_START_FAILED when the start is not wanted any more */
  readonly assertWanted: () => void;
}

/** How often it is looked whether another node runs what is waited for. */
const lookMs = 50;

/** @throws NODE_START_FAILED */
export async function startServices(options: StartServicesOptions): Promise<void> {
  const { instances, fleet, clock, limitMs } = options;
  const deadlineMs = clock.monotonicMs() + limitMs;
  const waiting = [...instances];
  let isTold = false;
  while (waiting.length > 0) {
    options.assertWanted();
    const index = waiting.findIndex((each) => missingOf(each, waiting, fleet).length === 0);
    const [next] = index === -1 ? [] : waiting.splice(index, 1);
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    if (next !== undefined) {
      await startOne(next, options, leftMs);
      // Who waits for it elsewhere can go on; a registry that is away hears of it later.
      await fleet?.announce().catch(() => undefined);
    } else {
      const lacks = waiting.flatMap((each) => missingOf(each, waiting, fleet));
      if (leftMs === 0) throw nobodyProvides(lacks, options);
      if (!isTold) {
        const services = [...new Set(lacks.map(({ contract }) => contract.name))];
        options.log.info("waiting for services of other nodes", { services });
        isTold = true;
      }
      await clock.sleep(Math.min(lookMs, leftMs));
    }
  }
}

/** A service that another one cannot do without, and that is not there. */
export interface MissingService {
  readonly user: string;
  readonly contract: AnyContract;
  /** Versions that run, none of which will do. */
  readonly others: readonly string[];
}

/** What a service uses and does not find, neither started here nor elsewhere. */
function missingOf(
  instance: ServiceInstance,
  waiting: readonly ServiceInstance[],
  fleet: Fleet | undefined,
): MissingService[] {
  if (fleet === undefined) return [];
  return Object.values(instance.contract.spec.uses ?? {}).flatMap((contract) => {
    const local = waiting.some(({ name }) => name === contract.name);
    if (local) return [{ user: instance.name, contract, others: [] }];
    return missingElsewhere(instance, contract, fleet);
  });
}

/** Of what runs here: what it uses of other nodes and that none of them runs now. */
export function missingInFleet(
  instances: readonly ServiceInstance[],
  fleet: Fleet,
): MissingService[] {
  const here = new Set(instances.map(({ name }) => name));
  return instances.flatMap((instance) =>
    Object.values(instance.contract.spec.uses ?? {})
      .filter(({ name }) => !here.has(name))
      .flatMap((contract) => missingElsewhere(instance, contract, fleet)),
  );
}

function missingElsewhere(
  { name: user }: ServiceInstance,
  contract: AnyContract,
  fleet: Fleet,
): MissingService[] {
  if (fleet.mesh.services().some(({ name }) => name === contract.name)) return [];
  const versions = fleet
    .providersOf(contract.name)
    .flatMap(({ services }) => services[contract.name] ?? []);
  if (versions.some((running) => isCompatibleVersion(contract.spec.version, running))) return [];
  return [{ user, contract, others: [...new Set(versions)] }];
}

async function startOne(
  instance: ServiceInstance,
  { clock, signal, stopping, assertWanted, limitMs: allMs }: StartServicesOptions,
  limitMs: number,
): Promise<void> {
  const patience: Patience = signal === undefined ? { clock, limitMs } : { clock, limitMs, signal };
  const started = await within(patience, instance.start(stopping));
  if (started.kind === "done") return;
  assertWanted();
  throw hostErrors.NODE_START_FAILED(
    `The service "${instance.name}" had not started when the ${allMs} ms for all ` +
      "services were over; see what its start hook waits for, or raise node.startTimeoutMs.",
    { details: { service: instance.name } },
  );
}

function nobodyProvides(
  lacks: readonly MissingService[],
  { limitMs, instances }: StartServicesOptions,
): Error {
  // Those that wait for one of this node wait for what that one waits for.
  const here = new Set(instances.map(({ name }) => name));
  const parts = lacks
    .filter(({ contract }) => !here.has(contract.name))
    .map(({ user, contract: { name, spec }, others }) =>
      others.length === 0
        ? `"${name}", which ${user} uses, is run by no node`
        : `"${name}" ${spec.version}, which ${user} uses, is run by no node; ${others.join(" and ")} is`,
    );
  return hostErrors.NODE_START_FAILED(
    `Of the services that this node uses of others, not all were there within ${limitMs} ms: ` +
      `${parts.join("; ")}. Start a node of the same fleet (mesh.registry, mesh.cluster) that ` +
      "runs what lacks, or run it here.",
    { details: { services: lacks.map(({ contract }) => contract.name) } },
  );
}
