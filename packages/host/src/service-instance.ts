/**
 * One service in a node, from built to stopped.
 *
 * What it owns: the parts its factory returned and the promise of its background work.
 * What may interrupt it: a failing hook, and the node's stop at any moment.
 *
 *   built ──start──▶ running ──stop──▶ stopped
 *      └────────────── stop ──────────────┘
 *
 * I1. `stop` is called for every service that was built, also when its `start` failed or never ran:
 *     what a factory acquired is released.
 * I2. `run` begins only when the whole node is ready; `stop` is called when it has ended, or when
 *     the node's patience has.
 * I3. A service whose background work ended while the node runs is unhealthy: it is half a service.
 */

import type { AnyContract, Clock, Health, Log } from "@banyan/kernel";
import type { ServiceDefinition, TaskGroup } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import type { NamedOperation, OperationRunner } from "@banyan/kernel/internal";
import { hostErrors } from "./errors.ts";
import type { ServiceSource } from "./options.ts";
import type { ServicePublisher } from "./service-publisher.ts";
import { within } from "./within.ts";

/** What a factory returned, with the types of its contract erased. */
export interface ErasedParts {
  readonly operations?: HandlerTree;
  readonly subscriptions?: Readonly<Record<string, AnyFunction>>;
  readonly extensions?: Readonly<Record<string, AnyFunction>>;
  readonly start?: (signal: AbortSignal) => unknown;
  readonly run?: (signal: AbortSignal) => Promise<void>;
  readonly stop?: () => unknown;
  readonly health?: (signal: AbortSignal) => Promise<Health> | Health;
}

export type AnyFunction = (...args: never[]) => unknown;

export interface HandlerTree {
  readonly [name: string]: AnyFunction | HandlerTree;
}

export type ServiceState = "starting" | "running" | "stopping" | "stopped";

export class ServiceInstance {
  readonly definition: ServiceDefinition;
  readonly source: ServiceSource;
  readonly parts: ErasedParts;
  readonly runners: readonly OperationRunner[];
  /** Publishes as this service. */
  readonly publisher: ServicePublisher;
  readonly log: Log;
  #state: ServiceState = "starting";
  #fault: string | undefined;

  constructor(init: {
    definition: ServiceDefinition;
    source: ServiceSource;
    parts: ErasedParts;
    runners: readonly OperationRunner[];
    publisher: ServicePublisher;
    log: Log;
  }) {
    this.definition = init.definition;
    this.source = init.source;
    this.parts = init.parts;
    this.runners = init.runners;
    this.publisher = init.publisher;
    this.log = init.log;
  }

  get contract(): AnyContract {
    return this.definition.contract;
  }

  get name(): string {
    return this.contract.name;
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Runs the start hook. @throws NODE_START_FAILED */
  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.parts.start?.(signal);
      signal.throwIfAborted();
    } catch (error) {
      throw hostErrors.NODE_START_FAILED(
        `The service "${this.name}" failed to start: ${toBanyanError(error).message}`,
        { cause: error, details: { service: this.name } },
      );
    }
    this.#state = "running";
  }

  /** Begins background work; the group's owner logs its failure (I2, I3). */
  run(tasks: TaskGroup): void {
    const { run } = this.parts;
    if (run === undefined) return;
    tasks.add(this.name, async (signal) => {
      try {
        await run(signal);
      } catch (error) {
        this.#fault = "its background work failed; the node's log has the cause";
        throw error;
      }
      if (signal.aborted) return;
      this.#fault = "its background work ended before the node stopped";
      this.log.warn("background work ended before the node stopped");
    });
  }

  /** Says that no new calls come. */
  drain(): void {
    if (this.#state === "running") this.#state = "stopping";
  }

  /** Runs the stop hook; a failure is logged, because the others must be stopped all the same. */
  async stop(): Promise<void> {
    try {
      await this.parts.stop?.();
    } catch (error) {
      this.log.error("stop hook failed", { error });
    }
    this.#state = "stopped";
  }

  /** Asks the service how it is; what it throws, or no answer in time, is unhealthy. */
  async health({ clock, limitMs }: { clock: Clock; limitMs: number }): Promise<Health> {
    if (this.#state !== "running") return { kind: "unhealthy", reason: `it is ${this.#state}` };
    if (this.#fault !== undefined) return { kind: "unhealthy", reason: this.#fault };
    const { health } = this.parts;
    if (health === undefined) return { kind: "healthy" };
    const patience = new AbortController();
    try {
      const asked = Promise.try(() => health(patience.signal));
      const outcome = await within({ clock, limitMs }, asked);
      if (outcome.kind === "done") return checkedHealth(outcome.value);
      return { kind: "unhealthy", reason: `it did not answer within ${limitMs} ms` };
    } catch (error) {
      this.log.warn("health hook failed", { error });
      return { kind: "unhealthy", reason: toBanyanError(error).message };
    } finally {
      patience.abort();
    }
  }
}

/** Plain JavaScript may answer anything; what is no health is not healthy. */
function checkedHealth(value: Health): Health {
  // Typed as it should be, and looked at as what it may be.
  const kind: unknown = (value as Partial<Health> | undefined)?.kind;
  if (kind === "healthy" || kind === "degraded" || kind === "unhealthy") return value;
  return { kind: "unhealthy", reason: "its health hook answered something that is no health" };
}

/** The handler of an operation. @throws NODE_START_FAILED where plain JavaScript left one out. */
export function handlerOf(
  service: string,
  operation: NamedOperation,
  handlers: HandlerTree | undefined,
): AnyFunction {
  let node: AnyFunction | HandlerTree | undefined = handlers;
  for (const segment of operation.segments) {
    node = typeof node === "object" && Object.hasOwn(node, segment) ? node[segment] : undefined;
  }
  return assertFunction(node, { service, what: `a handler of operation "${operation.name}"` });
}

/** @throws NODE_START_FAILED */
export function assertFunction(
  value: AnyFunction | HandlerTree | undefined,
  { service, what }: { service: string; what: string },
): AnyFunction {
  if (typeof value === "function") return value;
  throw hostErrors.NODE_START_FAILED(
    `The service "${service}" does not supply ${what}; add it to what its factory returns.`,
    { details: { service } },
  );
}
