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
import type { Bus, DeadLetter, OutgoingMessage } from "@banyan/messaging";
import type { OutboxRelay } from "@banyan/messaging/internal";
import { openLocks, openStore } from "@banyan/state";
import type { CommitRider, StateEngine } from "@banyan/state";
import { openServiceScopes, tapChanges } from "@banyan/state/internal";
import type { ScopedDeclaration, ServiceScopes } from "@banyan/state/internal";
import { createFailureObserver, createStoreObserver } from "@banyan/telemetry/internal";
import type { Instruments, OperationObserver } from "@banyan/telemetry/internal";
import { busNameFor, engineNameFor, lockEngineNameFor } from "./engine-choice.ts";
import { hostErrors } from "./errors.ts";
import { inboxSpec } from "./inbox.ts";
import { instrumentsOf } from "./instruments.ts";
import { createOpeningLog } from "./opening-log.ts";
import { createRelay, isOneMedium } from "./outbox.ts";
import { registrySpec } from "./registry-spec.ts";
import type { NodeSetup } from "./setup.ts";
import type { FailurePlace, StateNews } from "./state-news.ts";

/** A store of this node, for whoever looks at all of them. */
export interface OpenedStore {
  readonly service: string;
  readonly name: string;
  readonly spec: StoreSpec;
  readonly engine: StateEngine;
  readonly store: Store<unknown>;
}

/** The scopes of one service. */
export interface OpenedScopes extends ServiceScopes {
  readonly declared: readonly ScopedDeclaration[];
}
/** Prepares a publish that a transaction commits. */
export type StagePublish = (messages: readonly OutgoingMessage[]) => CommitRider;

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
  /** Of services with scoped stores, by the service's name. */
  readonly scopes: ReadonlyMap<string, OpenedScopes>;
  /** What brings events from an engine's outbox to the bus, by the engine's configured name. */
  readonly relays: ReadonlyMap<string, OutboxRelay>;
  /**
   * How events are committed with the engine's transactions: by the bus where it shares the commit,
   * else by the engine's outbox; `undefined` where there is no way.
   */
  stagerOf(engine: StateEngine): StagePublish | undefined;
  /** The engine of durable stores that are not pinned. */
  durableEngine(): Promise<StateEngine>;
  /** A store of a service's contract, on the engine that configuration chose. */
  openStore(service: string, name: string, spec: StoreSpec): Promise<OpenedStore>;
  /** A service's scopes, for its stores that are declared as scoped. */
  openScopes(
    service: string,
    specs: readonly (readonly [name: string, spec: StoreSpec])[],
  ): Promise<OpenedScopes>;
  /** A lock of a service's contract, on the engine that keeps what it guards. */
  openLocks(contract: AnyContract, name: string, spec: LockSpec): Promise<Locks>;
  /** The node's inbox on this engine. */
  openInbox(engine: StateEngine): Promise<OpenedStore>;
  /** The registry of the fleet, on the engine of this configured name. */
  openRegistry(engine: string): Promise<OpenedStore>;
}

export interface OpenEnginesOptions {
  /** Name of the node. */
  readonly node: string;
  readonly setup: NodeSetup;
  /** Closed, in reverse order of opening, when the node is. */
  readonly disposables: AsyncDisposableStack;
  readonly directory: string | undefined;
  readonly inMemory: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly telemetry: Instruments;
  readonly news: StateNews;
  /** Told of each dead letter of a bus. */
  readonly onDeadLetter: (bus: string, letter: DeadLetter) => void;
  /** Told of an engine whose server is not there; it is opened when `state` has it. */
  readonly onWaiting?: ((engine: string) => void) | undefined;
  /** Told once when a bus finds that the node should end and be started again. */
  readonly onFatal: (error: Error) => void;
  /** Ends the wait for a server that is not there. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws NODE_START_FAILED when an engine cannot be opened. */
export async function openEngines(options: OpenEnginesOptions): Promise<NodeEngines> {
  const { clock, random, log } = options;
  const { config } = options.setup;
  const instruments = instrumentsOf(options.telemetry);
  const state = new Map<string, StateEngine>();
  const stores = new Map<string, OpenedStore>();
  const buses = new Map<string, Bus>();
  const busOf = onceEach(async (name: string): Promise<Bus> => {
    const opened = await openBus(name, options);
    buses.set(name, opened);
    return opened;
  });
  const bus = await busOf(busNameFor(config, "durable"));
  const ephemeralBus = await busOf(busNameFor(config, "ephemeral"));

  const { relays, addRelay, stagerOf } = createStagers(bus, options);
  const engineOf = onceEach(async (name: string): Promise<StateEngine> => {
    const engine = tapped(await openEngine(name, options), options.news);
    state.set(name, engine);
    addRelay(name, engine);
    return engine;
  });

  const means = { clock, random, instruments, news: options.news, engines: state };
  const scopes = new Map<string, OpenedScopes>();
  return {
    bus,
    ephemeralBus,
    buses,
    state,
    stores,
    scopes,
    relays,
    stagerOf,
    durableEngine: () => engineOf(config.engines.durable),
    async openStore(service, name, spec) {
      const engine = await engineOf(engineNameFor(config, { service, store: name, spec }));
      const opened = await openOn({ service, name, spec, engine }, means);
      stores.set(`${service}.${name}`, opened);
      return opened;
    },
    async openScopes(service, specs) {
      const engineFor = (store: string, spec: StoreSpec) =>
        engineOf(engineNameFor(config, { service, store, spec }));
      const opening = specs.map(async ([name, spec]) => ({
        name,
        spec,
        engine: await engineFor(name, spec),
      }));
      const declared = await Promise.all(opening);
      const opened = await openScopesOf(service, declared, means);
      scopes.set(service, opened);
      return opened;
    },
    async openLocks(contract, name, spec) {
      const engine = await engineOf(lockEngineNameFor(config, contract, spec));
      return openLocksOn(engine, { service: contract.name, name, spec }, { ...means, log });
    },
    ...ownStores(engineOf, means, stores),
  };
}

/** Stores of the node itself that no contract declares. */
function ownStores(
  engineOf: (name: string) => Promise<StateEngine>,
  means: StoreMeans,
  stores: Map<string, OpenedStore>,
): Pick<NodeEngines, "openInbox" | "openRegistry"> {
  return {
    openInbox: onceEach(async (engine: StateEngine): Promise<OpenedStore> => {
      const spec = inboxSpec(engine.durability);
      const opened = await openOn({ service: "node", name: "inbox", spec, engine }, means);
      // The first is that of the durable engine; any other is told by its engine.
      stores.set(stores.has("node.inbox") ? `node.inbox@${engine.name}` : "node.inbox", opened);
      return opened;
    }),
    async openRegistry(name) {
      const engine = await engineOf(name);
      const spec = registrySpec(engine.durability);
      const opened = await openOn({ service: "node", name: "mesh", spec, engine }, means);
      stores.set("node.mesh", opened);
      return opened;
    },
  };
}

/** What stores of a node are opened with. */
interface StoreMeans extends Pick<OpenEnginesOptions, "clock" | "random" | "news"> {
  readonly instruments: Instruments | undefined;
  /** Those of the node, so that a refusal can name one that would do. */
  readonly engines: ReadonlyMap<string, StateEngine>;
}

async function openOn(
  declared: Omit<OpenedStore, "store">,
  { clock, random, engines, ...watching }: StoreMeans,
): Promise<OpenedStore> {
  const { service, name, spec, engine } = declared;
  const observer = storeObserver({ service, store: name, engine: engine.name }, watching);
  const others = [...engines.values()];
  const options = { scope: service, name, spec, clock, random, observer, engines: others };
  return { ...declared, store: await openStore(engine, options) };
}

/** Measures a store's operations where anything is measured, and tells of those that failed. */
export function storeObserver(
  place: FailurePlace,
  { instruments, news }: Pick<StoreMeans, "instruments" | "news">,
): OperationObserver | undefined {
  const failed = news.failuresOf(place);
  const { service, store, engine: system } = place;
  if (instruments !== undefined) {
    return createStoreObserver(instruments, { system, service, store, failed });
  }
  return failed && createFailureObserver(failed);
}

function tapped(engine: StateEngine, news: StateNews): StateEngine {
  if (!news.tellsChanges) return engine;
  return tapChanges(engine, {
    wants: (store) => news.wants(store),
    changed: (change) => news.changed(change),
  });
}

/** The registry is as durable as the most durable of the stores. */
async function openScopesOf(
  service: string,
  stores: readonly ScopedDeclaration[],
  { clock, random, ...watching }: StoreMeans,
): Promise<OpenedScopes> {
  const keeper = stores.find(({ spec }) => spec.durability === "durable") ?? stores[0];
  if (keeper === undefined) throw new Error("A service with scopes has a scoped store.");
  const opened = await openServiceScopes({
    clock,
    random,
    service,
    engine: keeper.engine,
    stores,
    observerOf: ({ name, engine }) =>
      storeObserver({ service, store: name, engine: engine.name }, watching),
  });
  return { ...opened, declared: stores };
}

/** The ways in which events leave with transactions, one for each engine. */
function createStagers(bus: Bus, options: OpenEnginesOptions) {
  const relays = new Map<string, OutboxRelay>();
  const relayOf = new Map<StateEngine, OutboxRelay>();
  return {
    relays,
    addRelay(name: string, engine: StateEngine): void {
      const { outbox } = options.setup.config;
      const relay = createRelay({ ...options, engine, bus, config: outbox });
      if (relay === undefined) return;
      relays.set(name, relay);
      relayOf.set(engine, relay);
    },
    stagerOf(engine: StateEngine): StagePublish | undefined {
      if (isOneMedium(engine, bus)) return bus.stage?.bind(bus);
      const relay = relayOf.get(engine);
      return relay && ((messages) => relay.stage(messages));
    },
  };
}

interface LocksOpening {
  readonly service: string;
  readonly name: string;
  readonly spec: LockSpec;
}

function openLocksOn(
  engine: StateEngine,
  { service, name, spec }: LocksOpening,
  { clock, random, log, engines, ...watching }: StoreMeans & { readonly log: Log },
): Promise<Locks> {
  return openLocks(engine, {
    scope: service,
    name,
    durability: spec.durability ?? "durable",
    clock,
    random,
    log: log.child({ service }),
    observer: storeObserver({ service, store: `lock.${name}`, engine: engine.name }, watching),
    engines: [...engines.values()],
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
  const { setup, disposables, directory = ".", clock, telemetry, signal } = options;
  const { metrics } = telemetry;
  const provider = setup.engines.get(name)?.state;
  if (provider === undefined) throw notOpened("state engine", name, new Error("unknown engine"));
  const boundedBy = waitSettingOf(setup, name);
  const opening = createOpeningLog({
    log: options.log.child({ engine: name }),
    clock,
    boundedBy,
    onWaiting: () => options.onWaiting?.(name),
  });
  const { log } = opening;
  try {
    const settings = settingsOf(setup, name);
    const opened = provider.openState({ directory, clock, log, metrics, options: settings });
    const engine = await unlessCancelled(opened, signal);
    disposables.use(engine);
    return options.inMemory ? standIn(engine) : engine;
  } catch (cause) {
    throw engineNotOpened(name, cause, boundedBy);
  } finally {
    opening.end();
  }
}

/** A start that nobody wants any more does not wait for a server; what still opens is closed. */
async function unlessCancelled(
  opening: Promise<StateEngine>,
  signal: AbortSignal | undefined,
): Promise<StateEngine> {
  const cancelled = Promise.withResolvers<never>();
  const cancel = (): void => cancelled.reject(new Error("the start was cancelled"));
  if (signal?.aborted === true) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await Promise.race([opening, cancelled.promise]);
  } catch (error) {
    // Where it failed itself there is nothing to close, and its failure is told already.
    opening.then((engine) => engine.close()).catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** The setting that says how long the engine waits for its server, by the place it stands at. */
function waitSettingOf({ engines }: NodeSetup, name: string): string | undefined {
  const module = engines.get(name);
  const schema = module?.state?.config;
  if (schema === undefined || !("properties" in schema)) return undefined;
  const { properties } = schema;
  if (typeof properties !== "object" || properties === null) return undefined;
  return "connectTimeoutMs" in properties
    ? `${module?.section ?? name}.connectTimeoutMs`
    : undefined;
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
  const { setup, disposables, directory = ".", clock, random, log, telemetry, onFatal } = options;
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
      onDeadLetter: (letter) => options.onDeadLetter(name, letter),
      onFatal,
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

/** With what to do where the server was not there: a wait is bounded by a setting. */
function engineNotOpened(name: string, cause: unknown, boundedBy: string | undefined): Error {
  const { kind, message } = toBanyanError(cause);
  const fix =
    kind === "unavailable" && boundedBy !== undefined
      ? { fix: `Start the server, or let the node wait longer for it: ${boundedBy}.` }
      : {};
  return hostErrors.NODE_START_FAILED(
    `The state engine "${name}" could not be opened: ${message}`,
    { cause, details: { engine: name, ...fix } },
  );
}
