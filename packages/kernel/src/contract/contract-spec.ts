/** What a contract may declare, as types: the shape that `defineContract` takes and answers. */

import type { TObject } from "typebox";
import type { ErrorCatalogue, ErrorTable } from "../errors/catalogue.ts";
import type { Schema } from "../schema/standard.ts";
import type { BackoffOptions } from "../time/backoff.ts";
import type { Layer } from "./layers.ts";
import type { OperationTree } from "./operation.ts";

/** What a store needs from an engine; the engine is chosen by configuration, never here. */
export interface StoreSpec {
  /** Schema of one value. */
  readonly value: Schema;
  /** `durable`: acknowledged writes survive `kill -9`. `ephemeral`: may go with the process. */
  readonly durability: "durable" | "ephemeral";
  readonly summary?: string;
  /** Writes may carry a time to live. A durable store takes one only if it says so here. */
  readonly expires?: boolean;
  /**
   * Not one store but one in each scope that the service makes (`scopes.create`): for what belongs
   * to an organisation or a user's application. Not in transactions.
   */
  readonly scoped?: boolean;
  /** Further capabilities by name (`revisions`, `query`, …); an engine without one is refused. */
  readonly capabilities?: readonly string[];
  /** Version of the value's schema, 1 by default; stored beside each value. */
  readonly version?: number;
  /** Lifts a value of version `n` to `n + 1`, keyed by `n`. */
  readonly upgrade?: Upgrades;
}

/** A lock, or one for each key, that the instances of a service share. */
export interface LockSpec {
  /**
   * `durable` (default): it outlives its engine's crash, and guards durable stores. `ephemeral`: it
   * may go with its engine, and guards ephemeral ones.
   */
  readonly durability?: "durable" | "ephemeral";
  readonly summary?: string;
}

/** Keyed by the version they start from. */
export type Upgrades = Readonly<Record<number, (old: unknown) => unknown>>;

/** An event with more to say than its schema. */
export interface EventSpec {
  readonly payload: Schema;
  readonly summary?: string;
  /**
   * `durable` (default): what `publish` accepted survives `kill -9`. `ephemeral`: it may go with
   * the process, and is many times as fast.
   */
  readonly durability?: "durable" | "ephemeral";
  readonly version?: number;
  readonly upgrade?: Upgrades;
  /** JSON pointer into the payload: events with the same value there are handled in order. */
  readonly orderedBy?: string;
}

/** Something others may plug into, so that a lower layer needs no upward edge. */
export type ExtensionPointSpec =
  | {
      /** Pulled: the owner asks every implementation, which may be remote. */
      readonly kind: "provider";
      readonly summary: string;
      readonly request: Schema;
      readonly response: Schema;
    }
  | {
      /** Pushed: local implementations are told when the event is published. */
      readonly kind: "listener";
      readonly summary: string;
      /** Name of the contract's own event; it goes to the bus as well. */
      readonly event: string;
    };

/** An event of some contract; made by `on`. */
export interface SubscriptionSpec<C extends AnyContract = AnyContract, E extends string = string> {
  readonly contract: C;
  readonly event: E;
  /** `group` (default): durable, one instance handles it. `broadcast`: every live instance does. */
  readonly delivery: "group" | "broadcast";
  /** Handlers at once in one node, 1 … 10 000. Default 16. */
  readonly concurrency: number;
  /** Redeliveries after a failure before the event becomes a dead letter, 0 … 1000. Default 5. */
  readonly retriesMax: number;
  /** Waits between them, each at most a day. Default 100 ms doubling to 30 s, full jitter. */
  readonly backoff?: BackoffOptions;
  /**
   * Milliseconds one handling may take, 1 … 86 400 000 (a day); then its signal is aborted and
   * it counts as failed. Default: the node's `limits.callTimeoutMs`. A broker may allow less.
   */
  readonly deadlineMs?: number;
  /**
   * Groups only: while no instance is there, what has waited longer than this many milliseconds is
   * dropped, logged and counted. 1000 (a second) … 315 576 000 000 (ten years). Default: kept.
   */
  readonly retentionMs?: number;
  /**
   * Events it holds, in handlers and in retries included, 1 … 1 000 000; past it publishers wait.
   * Default: the bus's.
   */
  readonly bufferMax?: number;
}

/** An extension point of some contract; made by `extend`. */
export interface ExtensionSpec<C extends AnyContract = AnyContract, P extends string = string> {
  readonly contract: C;
  readonly point: P;
}

export interface ContractSpec {
  readonly summary: string;
  readonly description?: string;
  /** SemVer of the contract. */
  readonly version: string;
  /** Default `"L4"`. */
  readonly layer?: Layer;
  /** Object schema; every key becomes a line of `banyan.yaml` and a `BANYAN_…` variable. */
  readonly config?: TObject;
  readonly stores?: Readonly<Record<string, StoreSpec>>;
  readonly locks?: Readonly<Record<string, LockSpec>>;
  readonly events?: Readonly<Record<string, Schema | EventSpec>>;
  readonly operations?: OperationTree;
  readonly subscriptions?: Readonly<Record<string, SubscriptionSpec>>;
  /** Hard: the node refuses to become ready without a provider. */
  readonly uses?: Readonly<Record<string, AnyContract>>;
  /** Soft: the client is `undefined` while nobody provides it. */
  readonly optional?: Readonly<Record<string, AnyContract>>;
  readonly extensionPoints?: Readonly<Record<string, ExtensionPointSpec>>;
  /** What it plugs into others' points. */
  readonly extensions?: Readonly<Record<string, ExtensionSpec>>;
  readonly errors?: ErrorTable;
}

export interface Contract<N extends string = string, S extends ContractSpec = ContractSpec> {
  readonly name: N;
  readonly spec: S;
  readonly layer: Layer;
  /** Constructors of the contract's own errors. */
  readonly errors: ErrorCatalogue<
    S["errors"] extends ErrorTable ? S["errors"] : Record<never, never>
  >;
}

/** A contract of whatever shape. */
export interface AnyContract {
  readonly name: string;
  readonly spec: ContractSpec;
  readonly layer: Layer;
}
