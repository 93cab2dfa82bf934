/** The engines of one node: opened once each, whatever number of stores and events uses them. */

import type {
  AnyContract,
  Clock,
  Locks,
  LockSpec,
  Log,
  Random,
  Store,
  StoreSpec,
} from "@banyan/kernel";
import { sectionValue, toBanyanError } from "@banyan/kernel/internal";
import type { Bus } from "@banyan/messaging";
import { openLocks, openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { createStoreObserver } from "@banyan/telemetry/internal";
import type { Instruments } from "@banyan/telemetry/internal";
import { busNameFor, engineNameFor, lockEngineNameFor } from "./engine-choice.ts";
import { hostErrors } from "./errors.ts";
import { inboxSpec } from "./inbox.ts";
import { instrumentsOf } from "./instruments.ts";
import type { NodeSetup } from "./setup.ts";

/** A store of this node, for whoever looks at all of them. */
export interface OpenedStore {
  readonly service: string;
  readonly name: string;
  readonly spec: StoreSpec;
  readonly engine: StateEngine;
  readonly store: Store<unknown>;
}

export interface NodeEngines {
  /** Carries durable events. */
  readonly bus: Bus;
  /** Carries ephemeral events; the same bus where configuration names one for both. */
  readonly ephemeralBus: Bus;
  /** Each bus once, by the name that configuration gives it. */
  readonly buses: ReadonlyMap<string, Bus>;
  /** Engines opened so far, by the name that configuration gives them. */
  readonly state: ReadonlyMap<string, StateEngine>;
  /** Stores opened so far, by `service.store`. */
  readonly stores: ReadonlyMap<string, OpenedStore>;
  /** The engine of durable stores that are not pinned. */
  durableEngine(): Promise<StateEngine>;
  /** A store of a service's contract, on the engine that configuration chose. */
  openStore(service: string, name: string, spec: StoreSpec): Promise<OpenedStore>;
  /** A lock of a service's contract, on the engine that keeps what it guards. */
  openLocks(contract: AnyContract, name: string, spec: LockSpec): Promise<Locks>;
  /** The node's inbox on this engine. */
  openInbox(engine: StateEngine): Promise<OpenedStore>;
}

export interface OpenEnginesOptions {
  readonly setup: NodeSetup;
  /** Closed, in reverse order of opening, when the node is. */
  readonly disposables: AsyncDisposableStack;
  readonly directory: string | undefined;
  readonly inMemory: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly telemetry: Instruments;
}

/** @throws NODE_START_FAILED when an engine cannot be opened. */
export async function openEngines(options: OpenEnginesOptions): Promise<NodeEngines> {
  const { setup, clock, random } = options;
  const { config } = setup;
  const instruments = instrumentsOf(options.telemetry);
  const state = new Map<string, StateEngine>();
  const stores = new Map<string, OpenedStore>();
  const engineOf = onceEach(async (name: string): Promise<StateEngine> => {
    const engine = await openEngine(name, options);
    state.set(name, engine);
    return engine;
  });

  const openOn = async (
    engine: StateEngine,
    { service, name, spec }: Omit<OpenedStore, "engine" | "store">,
  ): Promise<OpenedStore> => {
    const observer =
      instruments &&
      createStoreObserver(instruments, { system: engine.name, service, store: name });
    const store = await openStore(engine, {
      scope: service,
      name,
      spec,
      clock,
      random,
      observer,
      engines: [...state.values()],
    });
    return { service, name, spec, engine, store };
  };

  const buses = new Map<string, Bus>();
  const busOf = onceEach(async (name: string): Promise<Bus> => {
    const bus = await openBus(name, options);
    buses.set(name, bus);
    return bus;
  });
  return {
    bus: await busOf(busNameFor(config, "durable")),
    ephemeralBus: await busOf(busNameFor(config, "ephemeral")),
    buses,
    state,
    stores,
    durableEngine: () => engineOf(config.engines.durable),
    async openStore(service, name, spec) {
      const engine = await engineOf(engineNameFor(config, { service, store: name, spec }));
      const opened = await openOn(engine, { service, name, spec });
      stores.set(`${service}.${name}`, opened);
      return opened;
    },
    async openLocks(contract, name, spec) {
      const engine = await engineOf(lockEngineNameFor(config, contract, spec));
      const opening = { service: contract.name, name, spec, options, engines: [...state.values()] };
      return openLocksOn(engine, opening);
    },
    openInbox: onceEach(async (engine: StateEngine): Promise<OpenedStore> => {
      const spec = inboxSpec(engine.durability);
      const opened = await openOn(engine, { service: "node", name: "inbox", spec });
      // The first is that of the durable engine; any other is told by its engine.
      stores.set(stores.has("node.inbox") ? `node.inbox@${engine.name}` : "node.inbox", opened);
      return opened;
    }),
  };
}

interface LocksOpening {
  readonly service: string;
  readonly name: string;
  readonly spec: LockSpec;
  readonly options: OpenEnginesOptions;
  readonly engines: readonly StateEngine[];
}

function openLocksOn(engine: StateEngine, opening: LocksOpening): Promise<Locks> {
  const { service, name, spec, options, engines } = opening;
  const { clock, random, log } = options;
  const instruments = instrumentsOf(options.telemetry);
  const place = { system: engine.name, service, store: `lock.${name}` };
  return openLocks(engine, {
    scope: service,
    name,
    durability: spec.durability ?? "durable",
    clock,
    random,
    log: log.child({ service }),
    observer: instruments && createStoreObserver(instruments, place),
    engines,
  });
}

/**
 * Opens each thing once, also for callers that come while it is being opened. One that could not be
 * opened is forgotten, so that the next caller tries again.
 */
function onceEach<K, V>(open: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const opened = new Map<K, Promise<V>>();
  return (key) => {
    const known = opened.get(key);
    if (known !== undefined) return known;
    const opening = open(key);
    opened.set(key, opening);
    opening.catch(() => opened.delete(key));
    return opening;
  };
}

async function openEngine(name: string, options: OpenEnginesOptions): Promise<StateEngine> {
  const { setup, disposables, directory = ".", clock, log, telemetry } = options;
  const { metrics } = telemetry;
  const provider = setup.engines.get(name)?.state;
  if (provider === undefined) throw notOpened("state engine", name, new Error("unknown engine"));
  const settings = settingsOf(setup, name);
  const engine = await provider
    .openState({ directory, clock, log: log.child({ engine: name }), metrics, options: settings })
    .catch((cause: unknown) => {
      throw notOpened("state engine", name, cause);
    });
  disposables.use(engine);
  return options.inMemory ? standIn(engine) : engine;
}

/**
 * A node for tests keeps durable stores in memory too. The engine passes for durable, so that a
 * store is held to everything else it declared: what a test allows, a real node does.
 */
function standIn(engine: StateEngine): StateEngine {
  const { name, capabilities, medium, transact } = engine;
  return {
    name,
    durability: "durable",
    capabilities,
    medium,
    openStore: (spec) => engine.openStore(spec),
    ...(transact === undefined ? {} : { transact: transact.bind(engine) }),
    check: (waiting) => engine.check(waiting),
    close: () => engine.close(),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function openBus(name: string, options: OpenEnginesOptions): Promise<Bus> {
  const { setup, disposables, directory = ".", clock, random, log, telemetry } = options;
  const { metrics } = telemetry;
  const provider = setup.engines.get(name)?.bus;
  if (provider === undefined) throw notOpened("bus", name, new Error("unknown engine"));
  const bus = await provider
    .openBus({
      directory,
      clock,
      random,
      log: log.child({ engine: name }),
      metrics,
      options: settingsOf(setup, name),
    })
    .catch((cause: unknown) => {
      throw notOpened("bus", name, cause);
    });
  return disposables.use(bus);
}

/** What configuration says of an engine in its own section; `undefined` where it has none. */
function settingsOf(
  { engines, resolution }: NodeSetup,
  name: string,
): Readonly<Record<string, unknown>> | undefined {
  const module = engines.get(name);
  const hasSection = (module?.state?.config ?? module?.bus?.config) !== undefined;
  if (!hasSection) return undefined;
  // Resolved without problems, so it is an object as the engine's own schema has it.
  return sectionValue(resolution, [module?.section ?? name]) as Readonly<Record<string, unknown>>;
}

function notOpened(what: string, name: string, cause: unknown): Error {
  return hostErrors.NODE_START_FAILED(
    `The ${what} "${name}" could not be opened: ${toBanyanError(cause).message}`,
    { cause, details: { engine: name } },
  );
}
