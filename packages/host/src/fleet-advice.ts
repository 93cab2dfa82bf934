/**
 * What a node of a fleet keeps or tells by itself: two nodes that run one service differ in it, and
 * subscriptions of other nodes are not told. Allowed, since it may be meant, but not in silence.
 */

import type { AnyContract, Log } from "@banyan/kernel";
import { eventSpecOf } from "@banyan/kernel/internal";
import { defaultApp } from "@banyan/mesh";
import type { Fleet } from "@banyan/mesh";
import { busNameFor, engineNameFor } from "./engine-choice.ts";
import type { NodeSetup } from "./setup.ts";

interface OwnKeeping {
  /** Durable stores, `greeter.visits on sqlite`. */
  readonly stores: readonly string[];
  /** Topics that are published or subscribed to, `greeter.greeted on sqlite`. */
  readonly events: readonly string[];
}

/** What a node's operator may not have meant, told once at its start. */
export function adviseFleet(setup: NodeSetup, fleet: Fleet, log: Log): void {
  tellKeptAlone(setup, log);
  tellUnplaced(setup, fleet, log);
}

function tellKeptAlone(setup: NodeSetup, log: Log): void {
  const { stores, events } = keptAlone(setup);
  if (stores.length + events.length === 0) return;
  log.warn(
    "other nodes of the fleet do not see what this one keeps or tells alone; choose engines that " +
      "all of them share (engines.durable, engines.bus) where they should",
    { stores, events },
  );
}

/** Of the services of this node; both empty: the other nodes see everything. */
function keptAlone(setup: NodeSetup): OwnKeeping {
  const contracts = setup.services.map(({ definition }) => definition.contract);
  return {
    stores: [...contracts.flatMap((contract) => storesOf(contract, setup)), ...keysOf(setup)],
    events: [...new Set(contracts.flatMap((contract) => eventsOf(contract, setup)))],
  };
}

function storesOf({ name: service, spec }: AnyContract, { config, engines }: NodeSetup): string[] {
  return Object.entries(spec.stores ?? {}).flatMap(([store, declared]) => {
    // An ephemeral one is a cache, and may well be each node's own.
    if (declared.durability !== "durable") return [];
    const engine = engineNameFor(config, { service, store, spec: declared });
    const isShared = engines.get(engine)?.state?.isShared === true;
    return isShared ? [] : [`${service}.${store} on ${engine}`];
  });
}

/** Idempotency keys of calls: repeated at another node, one runs again. */
function keysOf({ config, engines, services }: NodeSetup): string[] {
  const engine = config.engines.pins["node.idempotency"] ?? config.engines.durable;
  const isShared = services.length === 0 || engines.get(engine)?.state?.isShared === true;
  return isShared ? [] : [`node.idempotency on ${engine}`];
}

function eventsOf(contract: AnyContract, { config, engines }: NodeSetup): string[] {
  const { events = {}, subscriptions = {} } = contract.spec;
  const told = Object.keys(events).map((event) => ({ contract, event }));
  return [...told, ...Object.values(subscriptions)].flatMap(({ contract: owner, event }) => {
    const declared = owner.spec.events?.[event];
    if (declared === undefined) return [];
    const { durability = "durable" } = eventSpecOf(declared);
    const bus = busNameFor(config, durability);
    const isShared = engines.get(bus)?.bus?.isShared === true;
    return isShared ? [] : [`${owner.name}.${event} on ${bus}`];
  });
}

/** A service in an app of its own is called by others only if it is placed there. */
function tellUnplaced({ config, services }: NodeSetup, fleet: Fleet, log: Log): void {
  const { app } = config.mesh;
  const { apps } = fleet.mapping();
  const unplaced = services
    .map(({ definition }) => definition.contract.name)
    .filter((service) => (apps[service] ?? defaultApp) !== app);
  if (unplaced.length === 0) return;
  log.warn(
    `other nodes do not call these services in the app ${app}, as they are not placed there; say ` +
      "so with banyan mesh place, or mesh.mappings",
    { services: unplaced },
  );
}
