/**
 * Do the engines that configuration chose keep what the contracts promise? Part of the plan of a
 * node, so that it is known before any of them is opened.
 *
 * An engine and a bus of one name share their file or connection, so events are committed with a
 * store's write. An engine with a `relay` keeps them until they were brought to whatever bus it is.
 */

import type { Offence } from "./check.ts";
import type {
  AnyContract,
  EventSpec,
  LockSpec,
  StoreSpec,
  SubscriptionSpec,
} from "./contract-spec.ts";
import { eventSpecOf } from "./event-spec.ts";

/** The engine that configuration chose for a store. */
export interface StoreEngine {
  readonly name: string;
  readonly durability: "durable" | "ephemeral";
  readonly capabilities: ReadonlySet<string>;
}

/** The bus that configuration chose for durable or for ephemeral events. */
export interface EventBus {
  readonly name: string;
  readonly durability: "durable" | "ephemeral";
  /** Left out: not known before it is opened, so it is asked then. */
  readonly capabilities?: ReadonlySet<string> | undefined;
}

/** What configuration chose. */
export interface ChosenEngines {
  /** Which engine a store gets; `undefined` when nothing is configured for it. */
  readonly engineFor: (service: string, store: string, spec: StoreSpec) => StoreEngine | undefined;
  /** Which engine keeps a lock; `undefined` when it is not known: not judged. */
  readonly lockEngineFor?: (contract: AnyContract, lock: LockSpec) => StoreEngine | undefined;
  /** Which bus carries events of a durability; `undefined` when it is not known: not judged. */
  readonly busFor?: (durability: "durable" | "ephemeral") => EventBus | undefined;
}

/** What locks are made of. */
const lockNeeds = ["expires", "revisions", "transaction"] as const;

/** Everything that an engine or a bus cannot keep. */
export function engineOffences(
  contracts: readonly AnyContract[],
  chosen: ChosenEngines,
): readonly Offence[] {
  return [
    ...contracts.flatMap((contract) => unfitStores(contract, chosen)),
    ...contracts.flatMap((contract) => unfitLocks(contract, chosen)),
    ...contracts.flatMap((contract) => scatteredTransactions(contract, chosen)),
    ...contracts.flatMap((contract) => unfitEvents(contract, chosen)),
    ...contracts.flatMap((contract) => unfitSubscriptions(contract, contracts, chosen)),
  ];
}

function unfitStores(contract: AnyContract, chosen: ChosenEngines): Offence[] {
  return Object.entries(contract.spec.stores ?? {}).flatMap(([key, spec]) => {
    const place = `${contract.name}.stores.${key}`;
    const engine = chosen.engineFor(contract.name, key, spec);
    if (engine === undefined) {
      return [
        {
          place,
          message: `No engine is configured for ${spec.durability} stores.`,
          fix: `Set engines.${spec.durability} in banyan.yaml.`,
        },
      ];
    }
    return [...unfitFor(place, spec, engine), ...unfitOutbox(place, spec, { engine, chosen })];
  });
}

function unfitFor(place: string, spec: StoreSpec, engine: StoreEngine): Offence[] {
  const needs = [...(spec.capabilities ?? []), ...(spec.expires === true ? ["expires"] : [])];
  const lacking = needs.filter((need) => !engine.capabilities.has(need));
  const offences = lacking.map((need) => ({
    place,
    message: `It asks for "${need}", which the engine "${engine.name}" does not have.`,
    fix: `Pin the store to an engine that has it, or drop "${need}"; "${engine.name}" has: ${
      [...engine.capabilities].sort().join(", ") || "no capability"
    }.`,
  }));
  if (spec.durability === "durable" && engine.durability !== "durable") {
    offences.push({
      place,
      message: `It must be durable, but the engine "${engine.name}" forgets with the process.`,
      fix: "Set engines.durable to a durable engine, such as sqlite.",
    });
  }
  return offences;
}

/** Events are committed with a store's write where bus and engine are one, or kept for a relay. */
function unfitOutbox(
  place: string,
  { capabilities = [] }: StoreSpec,
  { engine, chosen }: { engine: StoreEngine; chosen: ChosenEngines },
): Offence[] {
  if (!capabilities.includes("outbox")) return [];
  if (!capabilities.includes("transaction")) {
    return [
      {
        place,
        message: 'It asks for "outbox" without "transaction", which is what publishes with it.',
        fix: 'Add "transaction" to its capabilities, or drop "outbox".',
      },
    ];
  }
  const bus = chosen.busFor?.("durable");
  if (bus === undefined || !engine.capabilities.has("outbox")) return [];
  // What a relay forgets with the process it cannot promise to a durable event.
  const isRelayed = engine.capabilities.has("relay") && engine.durability === "durable";
  if (isRelayed && bus.name !== engine.name) return [];
  if (bus.name !== engine.name) {
    return [
      {
        place,
        message: `It asks for "outbox", but it is kept by "${engine.name}" and durable events go over "${bus.name}".`,
        fix: `Keep both in one place: set engines.bus to ${engine.name}, or pin the store to ${bus.name}.`,
      },
    ];
  }
  if (bus.capabilities === undefined || bus.capabilities.has("transactions")) return [];
  return [
    {
      place,
      message: `It asks for "outbox", but the bus "${bus.name}" cannot publish with a transaction.`,
      fix: "Set engines.bus to a bus that can, such as sqlite.",
    },
  ];
}

/** A lock is an entry of the engine that keeps what it guards. */
function unfitLocks(contract: AnyContract, chosen: ChosenEngines): Offence[] {
  return Object.entries(contract.spec.locks ?? {}).flatMap(([key, spec]) => {
    const place = `${contract.name}.locks.${key}`;
    const { durability = "durable" } = spec;
    const engine = chosen.lockEngineFor?.(contract, spec);
    if (engine === undefined) return [];
    const lacking = lockNeeds.filter((need) => !engine.capabilities.has(need));
    const offences = lacking.map((need) => ({
      place,
      message: `A lock needs "${need}", which the engine "${engine.name}" does not have.`,
      fix: `Set engines.${durability} to an engine that has ${lockNeeds.join(", ")}.`,
    }));
    if (durability === "durable" && engine.durability !== "durable") {
      offences.push({
        place,
        message: `It must be durable, but the engine "${engine.name}" forgets with the process.`,
        fix: 'Set engines.durable to a durable engine, or declare durability: "ephemeral".',
      });
    }
    return offences;
  });
}

/** A transaction is one step of one engine. */
function scatteredTransactions(contract: AnyContract, chosen: ChosenEngines): Offence[] {
  const kept = Object.entries(contract.spec.stores ?? {}).flatMap(([key, spec]) => {
    if (spec.capabilities?.includes("transaction") !== true) return [];
    const engine = chosen.engineFor(contract.name, key, spec);
    return engine === undefined ? [] : [{ store: `${contract.name}.${key}`, key, engine }];
  });
  const [first, ...others] = kept;
  if (first === undefined) return [];
  return others
    .filter(({ engine }) => engine.name !== first.engine.name)
    .map(({ store, key, engine }) => ({
      place: `${contract.name}.stores.${key}`,
      message: `It is kept by "${engine.name}", but "${first.store}", with which it shares transactions, by "${first.engine.name}".`,
      fix: `Give both one durability, pin ${store} to ${first.engine.name}, or drop "transaction" from one of them.`,
    }));
}

function unfitEvents(contract: AnyContract, chosen: ChosenEngines): Offence[] {
  return Object.entries(contract.spec.events ?? {}).flatMap(([key, declared]) =>
    unfitBus(`${contract.name}.events.${key}`, eventSpecOf(declared), chosen),
  );
}

function unfitSubscriptions(
  contract: AnyContract,
  contracts: readonly AnyContract[],
  chosen: ChosenEngines,
): Offence[] {
  return Object.entries(contract.spec.subscriptions ?? {}).flatMap(([key, subscription]) => {
    const publisher = subscription.contract;
    const declared = publisher.spec.events?.[subscription.event];
    if (declared === undefined) return [];
    const place = `${contract.name}.subscriptions.${key}`;
    const event = eventSpecOf(declared);
    // Events whose publisher runs here were judged there.
    const isJudged = contracts.some(({ name }) => name === publisher.name);
    return [
      ...(isJudged ? [] : unfitBus(place, event, chosen)),
      ...unfitRetention(place, { event, subscription, chosen }),
    ];
  });
}

function unfitRetention(
  place: string,
  ask: {
    readonly event: EventSpec;
    readonly subscription: SubscriptionSpec;
    readonly chosen: ChosenEngines;
  },
): Offence[] {
  const { durability = "durable" } = ask.event;
  const bus = ask.chosen.busFor?.(durability);
  if (ask.subscription.retentionMs === undefined) return [];
  if (bus?.capabilities?.has("retention") !== false) return [];
  return [
    {
      place,
      message: `It asks for a retention (retentionMs), but the bus "${bus.name}" has none.`,
      fix: `Set ${busSetting(durability)} to a bus that has it, such as sqlite, or drop retentionMs.`,
    },
  ];
}

function busSetting(durability: "durable" | "ephemeral"): string {
  return durability === "durable" ? "engines.bus" : "engines.ephemeralBus";
}

function unfitBus(
  place: string,
  { durability = "durable", orderedBy }: EventSpec,
  chosen: ChosenEngines,
): Offence[] {
  const bus = chosen.busFor?.(durability);
  if (bus === undefined) return [];
  const offences: Offence[] = [];
  if (durability === "durable" && bus.durability !== "durable") {
    offences.push({
      place,
      message: `The event must be durable, but the bus "${bus.name}" forgets with the process.`,
      fix: 'Set engines.bus to a durable bus, such as sqlite, or declare durability: "ephemeral".',
    });
  }
  if (orderedBy !== undefined && bus.capabilities?.has("ordered") === false) {
    offences.push({
      place,
      message: `The event is ordered by "${orderedBy}", but the bus "${bus.name}" keeps no order.`,
      fix: `Set ${busSetting(durability)} to a bus that does, such as sqlite or memory, or drop orderedBy.`,
    });
  }
  return offences;
}
