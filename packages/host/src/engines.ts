/** The engines of one node: opened once each, whatever number of stores uses them. */

import type { Clock, InferOutput, Log, Random, Store, StoreSpec } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import type { Bus } from "@banyan/messaging";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { engineNameFor } from "./engine-choice.ts";
import { hostErrors } from "./errors.ts";
import type { NodeSetup } from "./setup.ts";

export interface NodeEngines {
  readonly bus: Bus;
  /** Engines opened so far, for health. */
  readonly state: readonly StateEngine[];
  /** The store of a service's contract, on the engine that configuration chose. */
  openStore<S extends StoreSpec>(
    service: string,
    store: string,
    spec: S,
  ): Promise<Store<InferOutput<S["value"]>>>;
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
}

/** @throws NODE_START_FAILED when an engine cannot be opened. */
export async function openEngines(options: OpenEnginesOptions): Promise<NodeEngines> {
  const { setup, disposables, clock, random, log } = options;
  const directory = options.directory ?? ".";
  const state = new Map<string, StateEngine>();

  const engineOf = async (name: string): Promise<StateEngine> => {
    const known = state.get(name);
    if (known !== undefined) return known;
    const provider = setup.engines.get(name)?.state;
    if (provider === undefined) throw notOpened("state engine", name, new Error("unknown engine"));
    const engine = await provider
      .openState({ directory, clock, log: log.child({ engine: name }) })
      .catch((cause: unknown) => {
        throw notOpened("state engine", name, cause);
      });
    disposables.use(engine);
    state.set(name, engine);
    return engine;
  };

  const busName = setup.config.engines.bus;
  const busProvider = setup.engines.get(busName)?.bus;
  if (busProvider === undefined) throw notOpened("bus", busName, new Error("unknown engine"));
  const bus = await busProvider
    .openBus({ directory, clock, random, log: log.child({ engine: busName }) })
    .catch((cause: unknown) => {
      throw notOpened("bus", busName, cause);
    });
  disposables.use(bus);

  return {
    bus,
    get state() {
      return [...state.values()];
    },
    async openStore(service, store, spec) {
      const engine = await engineOf(engineNameFor(setup.config, { service, store, spec }));
      // A node for tests keeps durable stores in memory too; the store must not insist.
      const fitted = options.inMemory ? { ...spec, durability: "ephemeral" as const } : spec;
      return openStore(engine, { scope: service, name: store, spec: fitted, clock, random });
    },
  };
}

function notOpened(what: string, name: string, cause: unknown): Error {
  return hostErrors.NODE_START_FAILED(
    `The ${what} "${name}" could not be opened: ${toBanyanError(cause).message}`,
    { cause, details: { engine: name } },
  );
}
