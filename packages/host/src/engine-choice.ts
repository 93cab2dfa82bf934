/**
 * Which engine each store and each event gets by configuration, and whether there is one.
 *
 * Durable and ephemeral stores have an engine each; a pin gives a single store another one. Durable
 * and ephemeral events have a bus each.
 */

import type { AnyContract, LockSpec, StoreSpec } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import type { ConfigSection, EventBus, Offence, StoreEngine } from "@banyan/kernel/internal";
import type { BusProvider } from "@banyan/messaging";
import type { StateEngineProvider } from "@banyan/state";
import type { NodeConfig } from "./node-config.ts";
import type { EngineModule, ResolvedNodeOptions } from "./options.ts";
import { isSource } from "./registry-source.ts";

/** The engine a store gets by configuration. */
export function engineNameFor(
  config: NodeConfig,
  { service, store, spec }: { service: string; store: string; spec: StoreSpec },
): string {
  const pin = config.engines.pins[`${service}.${store}`];
  return pin ?? (spec.durability === "durable" ? config.engines.durable : config.engines.ephemeral);
}

/**
 * The engine that keeps a lock: that of the service's stores for transactions, where their
 * durability is the lock's, so that one can be run under it; else the one of its durability.
 */
export function lockEngineNameFor(
  config: NodeConfig,
  { name, spec }: AnyContract,
  { durability = "durable" }: LockSpec,
): string {
  const guarded = Object.entries(spec.stores ?? {}).find(
    ([, store]) =>
      store.durability === durability && store.capabilities?.includes("transaction") === true,
  );
  if (guarded === undefined) return config.engines[durability];
  const [store, storeSpec] = guarded;
  return engineNameFor(config, { service: name, store, spec: storeSpec });
}

/** The bus that carries events of a durability. */
export function busNameFor(config: NodeConfig, durability: "durable" | "ephemeral"): string {
  return durability === "durable" ? config.engines.bus : config.engines.ephemeralBus;
}

/** A bus as the plan of the node judges it; one that was not found is an offence already. */
export function eventBus(
  name: string,
  { provider, inMemory }: { provider: BusProvider | undefined; inMemory: boolean },
): EventBus | undefined {
  if (provider === undefined) return undefined;
  const { durability, capabilities } = provider;
  return { name, capabilities, durability: inMemory ? "durable" : durability };
}

export interface EngineChoice {
  readonly provider: StateEngineProvider | undefined;
  /** Of the store that it is chosen for; left out for a lock. */
  readonly spec?: StoreSpec;
  readonly inMemory: boolean;
}

/** An engine as the plan of the node judges it. */
export function storeEngine(name: string, { provider, spec, inMemory }: EngineChoice): StoreEngine {
  if (provider === undefined) {
    // It was not found, which is an offence already; its stores and locks add nothing to that.
    const capabilities = new Set([
      ...(spec?.capabilities ?? []),
      "expires",
      "revisions",
      "transaction",
    ]);
    return { name, capabilities, durability: "durable" };
  }
  const { kinds, capabilities } = provider;
  return { name, capabilities, durability: inMemory ? "durable" : kinds.state };
}

/** Looks for every engine that configuration names; a missing one is an offence. */
export async function findEngines(
  { engines, mesh }: Pick<NodeConfig, "engines" | "mesh">,
  options: ResolvedNodeOptions,
  offences: Offence[],
): Promise<Map<string, EngineModule>> {
  const source = mesh.registry;
  const registry = source === undefined || isSource(source) ? undefined : source;
  const named: [place: string, name: string, kind: "state" | "bus"][] = [
    ["engines.durable", engines.durable, "state"],
    ["engines.ephemeral", engines.ephemeral, "state"],
    ["engines.bus", engines.bus, "bus"],
    ["engines.ephemeralBus", engines.ephemeralBus, "bus"],
    ...Object.entries(engines.pins).map(([store, name]): [string, string, "state"] => [
      `engines.pins["${store}"]`,
      name,
      "state",
    ]),
  ];
  if (registry !== undefined) named.push(["mesh.registry", registry, "state"]);
  const found = new Map<string, EngineModule>();
  for (const [place, name, kind] of named) {
    const { module, reason } = await findOne(name, { found, options });
    if (module?.[kind] !== undefined) found.set(name, module);
    else {
      offences.push({
        place,
        message:
          reason === undefined
            ? `There is no ${kind} engine "${name}".`
            : `The ${kind} engine "${name}" could not be loaded: ${reason}`,
        fix:
          place === "mesh.registry"
            ? "Use redis, postgres or mysql, or install a package that offers one and name its module."
            : "Use memory or sqlite, or install a package that offers one and name its module.",
      });
    }
  }
  const keeper = registry === undefined ? undefined : found.get(registry)?.state;
  if (keeper !== undefined) offences.push(...registryOffences(keeper));
  return found;
}

/** The registry of a fleet is read by all of its nodes, and forgets those that are killed. */
function registryOffences({ name, isShared, capabilities }: StateEngineProvider): Offence[] {
  if (isShared === true && capabilities.has("expires")) return [];
  return [
    {
      place: "mesh.registry",
      message:
        isShared === true
          ? `The engine "${name}" cannot expire entries, so it would never forget a node.`
          : `What the engine "${name}" keeps is this node's alone, so no other node would be found.`,
      fix: "Name an engine that all nodes share: redis, postgres or mysql.",
    },
  ];
}

/**
 * The sections of engines that can be configured. One that is state engine and bus has one section.
 */
export function engineSections(
  engines: ReadonlyMap<string, EngineModule>,
  taken: readonly ConfigSection[],
  offences: Offence[],
): ConfigSection[] {
  const sections = new Map<string, ConfigSection>();
  for (const [name, module] of engines) {
    const schema = module.state?.config ?? module.bus?.config;
    if (schema === undefined) continue;
    const section = module.section ?? name;
    const isTaken = section === "services" || taken.some(({ path }) => path[0] === section);
    if (!sectionPattern.test(section) || isTaken) {
      offences.push({
        place: `engines: ${name}`,
        message: `The engine "${name}" has settings, but "${section}" cannot be their section.`,
        fix: "Give the provider a name of lower-case letters, digits and dashes that is not taken.",
      });
      continue;
    }
    const envPrefix = `BANYAN_${section.replaceAll("-", "_").toUpperCase()}`;
    sections.set(section, { path: [section], envPrefix, schema });
  }
  return [...sections.values()];
}

const sectionPattern = /^[a-z][a-z0-9-]{0,62}$/;

async function findOne(
  name: string,
  known: {
    readonly found: ReadonlyMap<string, EngineModule>;
    readonly options: ResolvedNodeOptions;
  },
): Promise<{ readonly module?: EngineModule | undefined; readonly reason?: string }> {
  try {
    return { module: known.found.get(name) ?? (await known.options.findEngine(name)) };
  } catch (error) {
    // Told as an offence beside all others, with the reason in it.
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** What a pin may name. */
export interface PinnedService {
  readonly name: string;
  readonly stores: readonly string[];
}

/** Pins that move nothing. Those of services that are known but not loaded are passed over. */
export function pinOffences(
  pins: NodeConfig["engines"]["pins"],
  loaded: readonly PinnedService[],
  passedOver: readonly string[],
): Offence[] {
  const stores = loaded.flatMap(({ name, stores: names }) =>
    names.map((store) => `${name}.${store}`),
  );
  return Object.keys(pins)
    .filter((pin) => !stores.includes(pin) && !passedOver.includes(pin.split(".", 1)[0] ?? ""))
    .map((pin) => {
      const meant = nearest(pin, stores);
      return {
        place: `engines.pins[${JSON.stringify(pin)}]`,
        message: `There is no store "${pin}" in this node.`,
        fix:
          meant === undefined
            ? 'Name a store as "service.store", or remove the pin.'
            : `Did you mean "${meant}"?`,
      };
    });
}
