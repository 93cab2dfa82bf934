/** What a program hands to `openNode`, with its defaults resolved in one place. */

import type { Clock, Layer, Log, Random, ServiceDefinition } from "@banyan/kernel";
import { isServiceDefinition, silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { ConfigSources } from "@banyan/kernel/internal";
import { memoryBus } from "@banyan/messaging";
import type { BusProvider } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";

/** A service that is known but not loaded yet: a disabled one never is. */
export interface ServiceSource {
  readonly name: string;
  readonly layer: Layer;
  /** Where it comes from, for people: `./services/greeter`. */
  readonly from: string;
  readonly load: () => Promise<ServiceDefinition>;
}

/** The data directory, open and locked. */
export interface NodeDirectory {
  readonly path: string;
}

/**
 * Opens the data directory. Asked once everything is known to fit, so that a start that is refused
 * leaves nothing on disk; what it opened is closed with the node.
 */
export type OpenNodeDirectory = () => Promise<NodeDirectory & AsyncDisposable>;

/** Engines that one backend offers. */
export interface EngineModule {
  /**
   * Key of the backend's section in the configuration, where it has settings. Default: the name by
   * which the engine was found.
   */
  readonly section?: string | undefined;
  readonly state?: StateEngineProvider;
  readonly bus?: BusProvider;
}

export interface NodeOptions {
  readonly services: readonly (ServiceDefinition | ServiceSource)[];
  /** Flags, environment and files; left out: defaults alone. */
  readonly config?: ConfigSources & {
    /** The value of `--services`: exactly these run. */
    readonly services?: readonly string[] | undefined;
  };
  /**
   * Finds an engine by the name that configuration gives it; `undefined` when there is none.
   * `memory` is always there. Only engines that are named are looked for.
   */
  readonly findEngine?: (name: string) => Promise<EngineModule | undefined>;
  /**
   * For tests: every store and event in memory, durable ones too; a free port; a silent log.
   * What configuration says about those is overridden.
   */
  readonly inMemory?: boolean;
  /**
   * Left out: there is no admin token, so internal operations are closed over HTTP, and an engine
   * that keeps files keeps them in the working directory.
   */
  readonly directory?: OpenNodeDirectory | undefined;
  /** Version to report; default `0.0.0`. */
  readonly version?: string;
  /** Default: lines on standard error, by the configuration's `log` section. */
  readonly log?: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Cancels the start: what had started is stopped again. A ready node is stopped by `close`. */
  readonly signal?: AbortSignal | undefined;
}

export interface ResolvedNodeOptions {
  readonly sources: readonly ServiceSource[];
  readonly config: NonNullable<NodeOptions["config"]>;
  readonly findEngine: (name: string) => Promise<EngineModule | undefined>;
  readonly inMemory: boolean;
  readonly openDirectory: OpenNodeDirectory | undefined;
  readonly version: string;
  readonly log: Log | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal | undefined;
}

export function resolveNodeOptions(options: NodeOptions): ResolvedNodeOptions {
  return Object.freeze({
    sources: options.services.map(sourceOf),
    config: options.inMemory === true ? inMemoryConfig(options.config) : (options.config ?? {}),
    findEngine: (name: string) => findEngine(name, options),
    inMemory: options.inMemory ?? false,
    openDirectory: options.directory,
    version: options.version ?? "0.0.0",
    log: options.log ?? (options.inMemory === true ? silentLog : undefined),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    signal: options.signal,
  });
}

function inMemoryConfig(config: NodeOptions["config"]): NonNullable<NodeOptions["config"]> {
  const forced = { "/engines/durable": "memory", "/engines/ephemeral": "memory" };
  const given = config?.flags ?? [];
  const flag = "inMemory";
  return {
    ...config,
    flags: [
      { pointer: "/http/port", value: 0, flag },
      ...given,
      ...Object.entries(forced).map(([pointer, value]) => ({ pointer, value, flag })),
      { pointer: "/engines/bus", value: "memory", flag },
      { pointer: "/engines/ephemeralBus", value: "memory", flag },
      { pointer: "/engines/pins", value: {}, flag },
    ],
  };
}

async function findEngine(name: string, options: NodeOptions): Promise<EngineModule | undefined> {
  if (name === "memory") return { state: memoryState, bus: memoryBus };
  return options.findEngine?.(name);
}

function sourceOf(service: ServiceDefinition | ServiceSource): ServiceSource {
  if (!isServiceDefinition(service)) return service;
  const { name, layer } = service.contract;
  return { name, layer, from: "the program", load: () => Promise.resolve(service) };
}
