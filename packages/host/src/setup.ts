/**
 * Everything that is decided before anything is opened: which services run, whether configuration,
 * services and engines fit together. Pure but for loading the enabled services' modules, and for a
 * look whether files that settings name are there.
 *
 * All offences of all kinds are collected, so one failed start names everything that is wrong.
 */

import { isBanyanError, isServiceDefinition } from "@banyan/kernel";
import type { AnyContract, ServiceDefinition } from "@banyan/kernel";
import {
  configJsonSchema,
  decideEnabled,
  describeConfig,
  enableSection,
  formatProblems,
  mergeProblems,
  planNode,
  resolveConfig,
  sectionValue,
  serviceEnvPrefix,
} from "@banyan/kernel/internal";
import type {
  ConfigProblem,
  ConfigResolution,
  ConfigRow,
  ConfigSection,
  ResolveConfigInput,
  Offence,
  ServiceDecision,
} from "@banyan/kernel/internal";
import {
  busNameFor,
  engineNameFor,
  lockEngineNameFor,
  engineSections,
  eventBus,
  findEngines,
  pinOffences,
  storeEngine,
} from "./engine-choice.ts";
import { hostErrors } from "./errors.ts";
import { exposurePlaces, exposureProblems } from "./exposure.ts";
import { fileProblems } from "./file-settings.ts";
import { meshProblems } from "./mesh-config.ts";
import type { NodeConfig } from "./node-config.ts";
import { nodeSections } from "./node-config.ts";
import { nodeContract } from "./node-contract.ts";
import type { EngineModule, ResolvedNodeOptions, ServiceSource } from "./options.ts";

/** A loaded service with where it came from. */
export interface LoadedService {
  readonly source: ServiceSource;
  readonly definition: ServiceDefinition;
}

/** A node as it would be: complete where `offences` and `problems` are empty. */
export interface NodeSetup {
  readonly config: NodeConfig;
  readonly resolution: ConfigResolution;
  readonly sections: readonly ConfigSection[];
  /** Every service that is known, enabled or not. */
  readonly sources: readonly ServiceSource[];
  /** Configuration files that were read, strongest first. */
  readonly files: readonly { readonly name: string }[];
  readonly decisions: readonly ServiceDecision[];
  readonly services: readonly LoadedService[];
  /** The engines that configuration names, by name. */
  readonly engines: ReadonlyMap<string, EngineModule>;
  /** Start order of the services' contracts. */
  readonly order: readonly AnyContract[];
  readonly problems: readonly ConfigProblem[];
  readonly offences: readonly Offence[];
}

/** Decides, loads, resolves and plans; never throws for what a user got wrong. */
export async function setUpNode(options: ResolvedNodeOptions): Promise<NodeSetup> {
  const { env = {}, files = [], flags = [], services: flagged } = options.config;
  const enabled = decideEnabled({
    services: options.sources.map(({ name, layer }) => ({ name, layer })),
    env,
    files,
    flags: { services: flagged, set: flags },
  });
  const on = new Set(enabled.services.filter((each) => each.enabled).map(({ name }) => name));
  const offences: Offence[] = [];
  const services = await loadServices(
    options.sources.filter(({ name }) => on.has(name)),
    offences,
  );
  const sources = {
    sources: options.config,
    knownServices: options.sources.map(({ name }) => name),
    // Read by whoever starts the node, before there is a configuration; and the test bed's own.
    knownVariables: ["BANYAN_CONFIG", "BANYAN_RUN_BUILT"],
    knownPrefixes: ["BANYAN_TEST_"],
  };
  // Which engines there are is configuration, and what can be set about them is theirs to say.
  const engines = await chosenEngines(options, sources, offences);
  const own = [...nodeSections, enableSection];
  const sections = [...own, ...engineSections(engines, own, offences), ...services.map(sectionOf)];
  const resolution = resolveConfig({ sections, ...sources });
  // Without problems every section is complete and of its schema's type; with problems the node
  // does not start, and nothing below reads more than the engines' names.
  const config = resolution.values as unknown as NodeConfig;
  // A section with problems has no values to judge further; the others are judged all the same.
  const isSound = (...places: readonly string[]): boolean =>
    !resolution.problems.some(({ pointer }) => places.some((place) => pointer.startsWith(place)));
  if (isSound("/engines")) offences.push(...wrongPins(config, options, services));
  // While what it says of the mesh cannot be read, it may be one of a fleet.
  const hasFleet = !isSound("/mesh") || config.mesh.registry !== undefined;
  const context = { options, config, engines, offences, hasFleet };
  const order = planOrder(services, enabled.services, context);
  return {
    config,
    resolution,
    sections,
    sources: options.sources,
    files,
    decisions: enabled.services,
    services,
    engines,
    order,
    problems: mergeProblems(
      enabled.problems,
      resolution.problems,
      isSound(...exposurePlaces) ? exposureProblems(config.http) : [],
      isSound("/mesh") ? meshProblems(config.mesh) : [],
      await fileProblems(sections, resolution),
    ),
    offences,
  };
}

/** Read before the rest; what is wrong with it is told with everything else. */
async function chosenEngines(
  options: ResolvedNodeOptions,
  sources: Omit<ResolveConfigInput, "sections">,
  offences: Offence[],
): Promise<ReadonlyMap<string, EngineModule>> {
  const sections = nodeSections.filter(({ path }) => path[0] === "engines" || path[0] === "mesh");
  const { values, problems } = resolveConfig({ sections, ...sources });
  if (problems.some(({ pointer }) => /^\/(engines|mesh)/.test(pointer))) return new Map();
  // The sections have no problems, so they are what their schemas say.
  return findEngines(values as unknown as Pick<NodeConfig, "engines" | "mesh">, options, offences);
}

/** @throws NODE_START_REFUSED when the setup has anything wrong, listing all of it. */
export function assertSetup(setup: NodeSetup): void {
  const { problems, offences } = setup;
  const count = problems.length + offences.length;
  if (count === 0) return;
  const parts = [
    formatProblems(problems),
    ...offences.map(({ place, message, fix }) => `${place}: ${message}\n  Fix: ${fix}`),
  ].filter((part) => part !== "");
  throw hostErrors.NODE_START_REFUSED(
    `The node does not start; ${count === 1 ? "one thing is" : `${count} things are`} wrong:\n\n` +
      parts.join("\n\n"),
    { details: { problems, offences } },
  );
}

/** A service's own section of the configuration, resolved. */
export function serviceConfig(resolution: ConfigResolution, service: string): unknown {
  return sectionValue(resolution, ["services", service]) ?? {};
}

/** The configuration as rows for people, secrets hidden. */
export function configRows(setup: NodeSetup): ConfigRow[] {
  return describeConfig(setup.sections, setup.resolution, { decisions: setup.decisions });
}

/** JSON Schema of `banyan.yaml` for editors. */
export function configSchema(setup: NodeSetup): object {
  return configJsonSchema(setup.sections, {
    knownServices: setup.decisions.map(({ name }) => name),
  });
}

function sectionOf({ definition }: LoadedService): ConfigSection {
  const { name, spec } = definition.contract;
  return {
    path: ["services", name],
    envPrefix: serviceEnvPrefix(name).replace(/_$/, ""),
    schema: spec.config ?? { type: "object", properties: {} },
  };
}

async function loadServices(
  sources: readonly ServiceSource[],
  offences: Offence[],
): Promise<LoadedService[]> {
  const loaded = await Promise.all(
    sources.map(async (source) => {
      try {
        const definition: unknown = await source.load();
        if (isServiceDefinition(definition)) {
          offences.push(...mismatches(source, definition));
          return [{ source, definition }];
        }
        offences.push({
          place: source.name,
          message: `${source.from} does not export a service.`,
          fix: "Make the module's default export the result of defineService(…).",
        });
      } catch (error) {
        offences.push(loadOffence(source, error));
      }
      return [];
    }),
  );
  return loaded.flat();
}

function mismatches(source: ServiceSource, { contract }: ServiceDefinition): Offence[] {
  const offence = (message: string, fix: string): Offence => ({
    place: source.name,
    message,
    fix,
  });
  const offences: Offence[] = [];
  if (contract.name !== source.name) {
    offences.push(
      offence(
        `${source.from} announces "${source.name}" but its contract is named "${contract.name}".`,
        `Write "service": "${contract.name}" in its package.json.`,
      ),
    );
  }
  if (contract.layer !== source.layer) {
    offences.push(
      offence(
        `${source.from} announces layer ${source.layer} but its contract says ${contract.layer}.`,
        `Write "layer": "${contract.layer}" in its package.json.`,
      ),
    );
  }
  return offences;
}

function loadOffence(source: ServiceSource, error: unknown): Offence {
  if (isBanyanError(error)) {
    return { place: source.name, message: error.message, fix: "Mend the contract." };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return {
    place: source.name,
    message: `${source.from} could not be loaded: ${reason}`,
    fix: "Mend the module; run it with node to see the whole stack.",
  };
}

function planOrder(
  services: readonly LoadedService[],
  decisions: readonly ServiceDecision[],
  context: PlanContext,
): readonly AnyContract[] {
  const off = decisions.filter(({ enabled }) => !enabled);
  const { options, config, engines, offences } = context;
  try {
    return planNode({
      contracts: [nodeContract, ...services.map(({ definition }) => definition.contract)],
      disabled: new Map(off.map(({ name, because }) => [name, because])),
      hasFleet: context.hasFleet,
      ...(engines.size === 0
        ? {}
        : {
            engines: {
              engineFor: (service, store, spec) => {
                const name = engineNameFor(config, { service, store, spec });
                const provider = engines.get(name)?.state;
                return storeEngine(name, { provider, spec, inMemory: options.inMemory });
              },
              lockEngineFor: (contract, lock) => {
                const name = lockEngineNameFor(config, contract, lock);
                const provider = engines.get(name)?.state;
                return storeEngine(name, { provider, inMemory: options.inMemory });
              },
              busFor: (durability) => {
                const name = busNameFor(config, durability);
                const provider = engines.get(name)?.bus;
                return eventBus(name, { provider, inMemory: options.inMemory });
              },
            },
          }),
    }).order;
  } catch (error) {
    if (!isBanyanError(error, "NODE_PLAN_INVALID")) throw error;
    // The plan's error carries its offences as data.
    offences.push(...((error.details?.["offences"] ?? []) as Offence[]));
    return [];
  }
}

function wrongPins(
  { engines }: NodeConfig,
  { sources }: ResolvedNodeOptions,
  services: readonly LoadedService[],
): Offence[] {
  const loaded = services.map(({ definition: { contract } }) => ({
    name: contract.name,
    stores: Object.keys(contract.spec.stores ?? {}),
  }));
  const off = sources.filter(({ name }) => !loaded.some((each) => each.name === name));
  // The node keeps its idempotency records in a store of its own; its inbox is where the
  // transactions are that it belongs to, so it cannot be pinned.
  const own = { name: nodeContract.name, stores: ["idempotency"] };
  return pinOffences(
    engines.pins,
    [own, ...loaded],
    off.map(({ name }) => name),
  );
}

interface PlanContext {
  readonly options: ResolvedNodeOptions;
  readonly config: NodeConfig;
  readonly engines: ReadonlyMap<string, EngineModule>;
  readonly offences: Offence[];
  readonly hasFleet: boolean;
}
