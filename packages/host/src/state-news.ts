/**
 * What a node tells about its stores, over the bus of ephemeral events: that an engine failed one
 * of them, and, where configuration asks for it, which entries changed.
 *
 * N1. The same store, operation and kind of error is told once in a window; what was left out is
 *     counted into the next event.
 * N2. What a caller did wrong, and a conflict, is no failure of an engine.
 * N3. Nothing is told before the node serves, and nothing of the node's own stores but failures.
 */

import type { BanyanError, Clock, ErrorKind, Random } from "@banyan/kernel";
import { scopeNameOf } from "@banyan/state/internal";
import type { StoreChange } from "@banyan/state/internal";
import type { StoreName } from "@banyan/state";
import { ToldOnce } from "./news-post.ts";
import type { NewsPost } from "./news-post.ts";
import type { StateConfig } from "./state-config.ts";

export interface StateNewsOptions {
  readonly config: StateConfig;
  /** The node's id. */
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly post: NewsPost;
}

/** Where an operation failed. */
export interface FailurePlace {
  readonly service: string;
  readonly store: string;
  readonly engine: string;
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
/** Keys named in one event. */
const KEYS_MAX = 100;

export class StateNews {
  readonly #options: StateNewsOptions;
  readonly #told: ToldOnce;
  readonly #all: ReadonlySet<string>;

  constructor(options: StateNewsOptions) {
    this.#options = options;
    this.#told = new ToldOnce(options.clock, options.config.failureEvents.windowMs);
    this.#all = new Set(options.config.changeEvents.stores);
  }

  /** Whether any change is told at all. */
  get tellsChanges(): boolean {
    const { stores, ratio } = this.#options.config.changeEvents;
    return stores.length > 0 && ratio > 0;
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
    const { config, random, node, post } = this.#options;
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
    post.tell((publish) => publish("entriesChanged", payload));
  }

  #failed(place: FailurePlace, operation: string, { kind, code }: BanyanError): void {
    // An author's function may throw whatever it wants: that is no failure of the engine.
    if (!failures.has(kind) || !code.startsWith("STATE_")) return;
    const { node, post } = this.#options;
    const suppressed = this.#told.take(place.service, place.store, operation, kind);
    if (suppressed === undefined) return;
    const payload = { node, ...place, operation, kind, code, suppressed };
    post.tell((publish) => publish("storeFailed", payload));
  }
}

function serviceOf(scope: string): string {
  const [service = ""] = scope.split("/");
  return service;
}
