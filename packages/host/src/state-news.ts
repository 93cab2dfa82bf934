/**
 * What a node tells about its stores, over the bus of ephemeral events: that an engine failed one
 * of them, and, where configuration asks for it, which entries changed.
 *
 * What it owns: when each failure was told last. What may interrupt it: nothing; whatever goes
 * wrong with telling is logged once and fails nobody.
 *
 * N1. The same store, operation and kind of error is told once in a window; what was left out is
 *     counted into the next event.
 * N2. What a caller did wrong, and a conflict, is no failure of an engine.
 * N3. Nothing is told before the node serves, and nothing of the node's own stores but failures.
 */

import type { BanyanError, Clock, ErrorKind, Log, Random, ServiceTools } from "@banyan/kernel";
import { scopeNameOf } from "@banyan/state/internal";
import type { StoreChange } from "@banyan/state/internal";
import type { StoreName } from "@banyan/state";
import type { nodeContract } from "./node-contract.ts";
import type { StateConfig } from "./state-config.ts";

export interface StateNewsOptions {
  readonly config: StateConfig;
  /** The node's id. */
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Where an operation failed. */
export interface FailurePlace {
  readonly service: string;
  readonly store: string;
  readonly engine: string;
}

/** How the node's own events are published. */
export type PublishNews = ServiceTools<typeof nodeContract>["publish"];

interface Told {
  untilMs: number;
  suppressed: number;
}

/** The engine's doing; `unknown` is a write whose reply was lost. */
const failures: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "unavailable",
  "unknown",
  "internal",
  "data_loss",
  "resource_exhausted",
  "deadline_exceeded",
]);
/** Combinations remembered at once; beyond it the oldest is told anew. */
const TOLD_MAX = 10_000;
/** Keys named in one event. */
const KEYS_MAX = 100;

export class StateNews {
  readonly #options: StateNewsOptions;
  readonly #told = new Map<string, Told>();
  readonly #all: ReadonlySet<string>;
  #publish: PublishNews | undefined = undefined;
  #hasFailed = false;

  constructor(options: StateNewsOptions) {
    this.#options = options;
    this.#all = new Set(options.config.changeEvents.stores);
  }

  /** Whether any change is told at all. */
  get tellsChanges(): boolean {
    const { stores, ratio } = this.#options.config.changeEvents;
    return stores.length > 0 && ratio > 0;
  }

  /** From now on there is somebody to publish. */
  begin(publish: PublishNews): void {
    this.#publish = publish;
  }

  /** Told of every operation of a store that failed; `undefined` where that is switched off. */
  failuresOf(place: FailurePlace): ((operation: string, error: BanyanError) => void) | undefined {
    if (!this.#options.config.failureEvents.enabled) return undefined;
    return (operation, error) => this.#failed(place, operation, error);
  }

  /** By the names of engines: the scope of a scoped store is below its service. */
  wants({ scope, name }: StoreName): boolean {
    const service = serviceOf(scope);
    // A service gives its stores names without dots: what has one is ours.
    if (service === "node" || name.includes(".")) return false;
    return this.#all.has(`${service}.${name}`) || this.#all.has(`${service}.*`);
  }

  changed({ scope, name, operation, keys }: StoreChange): void {
    const { config, random, node } = this.#options;
    if (config.changeEvents.ratio < 1 && random.next() >= config.changeEvents.ratio) return;
    const service = serviceOf(scope);
    const named = keys.slice(0, KEYS_MAX);
    const payload = {
      node,
      service,
      store: name,
      ...(scope === service ? {} : { scope: scopeNameOf(scope) }),
      operation,
      keys: named,
      more: keys.length - named.length,
    };
    this.#tell((publish) => publish("entriesChanged", payload));
  }

  #failed(place: FailurePlace, operation: string, { kind, code }: BanyanError): void {
    // An author's function may throw whatever it wants: that is no failure of the engine.
    if (!failures.has(kind) || !code.startsWith("STATE_")) return;
    const { clock, config, node } = this.#options;
    const id = JSON.stringify([place.service, place.store, operation, kind]);
    const now = clock.monotonicMs();
    const known = this.#told.get(id);
    if (known !== undefined && now < known.untilMs) {
      known.suppressed += 1;
      return;
    }
    const untilMs = now + config.failureEvents.windowMs;
    this.#told.delete(id);
    this.#told.set(id, { untilMs, suppressed: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > TOLD_MAX && oldest !== undefined) this.#told.delete(oldest);
    const suppressed = known?.suppressed ?? 0;
    const payload = { node, ...place, operation, kind, code, suppressed };
    this.#tell((publish) => publish("storeFailed", payload));
  }

  #tell(send: (publish: PublishNews) => Promise<unknown>): void {
    if (this.#publish === undefined) return;
    send(this.#publish).catch((error: unknown) => {
      if (!this.#hasFailed) this.#options.log.warn("an event about a store was lost", { error });
      this.#hasFailed = true;
    });
  }
}

function serviceOf(scope: string): string {
  const [service = ""] = scope.split("/");
  return service;
}
