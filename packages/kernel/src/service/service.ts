/** A service: a contract with the code behind it. */

import type { AnyContract, Contract, ContractSpec } from "../contract/contract.ts";
import type { IdSource } from "../ids.ts";
import type { EventOf, PublishOptions, Published, StagedPublishOptions } from "../ports/event.ts";
import type { TransactOptions } from "../ports/lock.ts";
import type { Scopes, Waiting } from "../ports/store.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../random.ts";
import type { Clock } from "../time/clock.ts";
import type {
  ClientsOf,
  ConfigOf,
  EventsOf,
  ExtensionsOf,
  HandlersOf,
  LocksOf,
  Part,
  PointsOf,
  StoresOf,
  SubscribersOf,
  TransactionStoresOf,
} from "./inference.ts";

/** Several reads and writes, and the events that tell of them, as one step. */
export interface Transaction<C extends AnyContract> {
  /** The contract's stores that declared the capability `transaction`. */
  readonly stores: TransactionStoresOf<C>;
  /**
   * Publishes one of the contract's events with the commit: either both are there or neither. The
   * stores must have declared `outbox`. Answers the id under which it will be published.
   * @throws EVENT_INVALID and STATE_CAPABILITY_MISSING at once, TRANSACTION_EVENT_EPHEMERAL for an
   *   event that is not durable, MESSAGING_BUFFER_FULL at the commit
   */
  readonly publish: <E extends keyof EventsOf<C> & string>(
    event: E,
    payload: EventsOf<C>[E],
    options?: StagedPublishOptions,
  ) => Published;
}

/**
 * How a service does several things as one. With an `operationId` it is done at most once, and what
 * `run` answers must be JSON data of at most 64 KiB: who asks again is answered a copy of it, and
 * `run` does not run.
 */
export type Transact<C extends AnyContract> = <R>(
  run: (tx: Transaction<C>) => Promise<R> | R,
  options?: TransactOptions,
) => Promise<R>;

export interface OnceOptions extends Waiting {
  /**
   * Under which name the event counts as handled. Default: the subscription whose handler runs;
   * outside of one it must be given.
   */
  readonly as?: string | undefined;
}

/** What became of an event that is to be handled once. */
export type OnceOutcome = "done" | "duplicate";

/** What a service is handed when it is built. Everything it may touch is in here. */
export interface ServiceTools<C extends AnyContract> {
  readonly config: ConfigOf<C>;
  readonly stores: StoresOf<C>;
  /**
   * The service's scopes, which its stores that are declared as `scoped` are in.
   * @throws STATE_CAPABILITY_MISSING where the contract has no such store
   *
   * @example
   * await scopes.create("org-42", { owner: "organisation:42" });
   * const settings = await stores.settings.in("org-42");
   */
  readonly scopes: Scopes;
  /**
   * The contract's locks, shared with every instance of the service on the same engine.
   *
   * @example
   * const outcome = await locks.nightly.acquire(region, { waitMs: 1000 });
   * if (outcome.kind !== "held") return;
   * await using lock = outcome.lock;
   * await transaction((tx) => tx.stores.reports.set(region, report), { under: lock });
   */
  readonly locks: LocksOf<C>;
  /**
   * Publishes one of the contract's own events; resolves when it is safe in the bus, or with mode
   * `enqueue` when that has it in this process.
   * @throws EVENT_INVALID when the payload does not fit its schema; MESSAGING_UNROUTED when it is
   *   mandatory and nobody subscribes to it.
   *
   * @example
   * await publish("placed", { order }, { mandatory: true, correlationId: order });
   */
  readonly publish: <E extends keyof EventsOf<C> & string>(
    event: E,
    payload: EventsOf<C>[E],
    options?: PublishOptions,
  ) => Promise<Published>;
  /**
   * Reads and writes several keys of several stores as if alone. `run` may run more than once when
   * others write the same keys, so it must do nothing but use `tx`; what it answers is answered
   * once it is committed. A transaction that threw wrote nothing.
   * @throws STATE_UPDATE_CONTENDED after too many conflicts, and what `run` throws
   */
  readonly transaction: Transact<C>;
  /**
   * Handles an event exactly once, however often it is delivered: in one transaction with the
   * record that it was handled. `duplicate`: it was handled before, and `run` did not run.
   *
   * @example
   * onPlaced: (event) => once(event, (tx) => tx.stores.stock.update(event.item, take(event.count)))
   */
  readonly once: (
    event: Pick<EventOf<object>, "eventId">,
    run: (tx: Transaction<C>) => unknown,
    options?: OnceOptions,
  ) => Promise<OnceOutcome>;
  /** Clients of `uses`, and of `optional` (read those at the time of use: they come and go). */
  readonly clients: ClientsOf<C>;
  /** The contract's own `provider` points. */
  readonly extensionPoints: PointsOf<C>;
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: Random;
  /**
   * Runs a piece of work as a span of its own: seen in the trace by its name, with whatever calls,
   * store operations and publishes are made in it below. In background work, where no call is
   * current, it begins a trace. What `work` answers or throws passes through.
   *
   * @example
   * const price = await span("find the price", () => priceOf(order));
   */
  readonly span: <R>(name: string, work: () => Promise<R> | R) => Promise<R>;
}

type Required_<Key extends string, T> = keyof T extends never
  ? { readonly [K in Key]?: T }
  : { readonly [K in Key]: T };

/** State of a part of a service, for `/readyz`. */
export type Health =
  | { readonly kind: "healthy" }
  | { readonly kind: "degraded"; readonly reason: string }
  | { readonly kind: "unhealthy"; readonly reason: string };

/** What the factory returns. A part the contract does not declare may be left out. */
export type ServiceParts<C extends AnyContract> = Required_<
  "operations",
  HandlersOf<Part<C, "operations">>
> &
  Required_<"subscriptions", SubscribersOf<C>> &
  Required_<"extensions", ExtensionsOf<C>> & {
    /** Before the first call: load, warm up. Its `uses` have started already. */
    readonly start?: (signal: AbortSignal) => Promise<void> | void;
    /** Background work from readiness to drain; returns when the signal is aborted. */
    readonly run?: (signal: AbortSignal) => Promise<void>;
    /** After the last call: release. Bounded by the node's stop deadline. */
    readonly stop?: () => Promise<void> | void;
    /** Asked by `/readyz`; left out: healthy once started. */
    readonly health?: (signal: AbortSignal) => Promise<Health> | Health;
  };

/** A factory must not call others or wait for them: that is what `start` is for. */
export type ServiceFactory<C extends AnyContract> = (
  tools: ServiceTools<C>,
) => ServiceParts<C> | Promise<ServiceParts<C>>;

/** A service with its types erased: what a node holds. */
export interface ServiceDefinition<C extends AnyContract = AnyContract> {
  readonly kind: "banyan.service";
  readonly contract: C;
  readonly build: (tools: unknown) => unknown;
}

/**
 * Binds code to a contract.
 *
 * @example
 * export default defineService(greeter, ({ config }) => ({
 *   operations: { greet: ({ name }) => ({ text: `${config.salutation}, ${name}!` }) },
 * }));
 */
export function defineService<N extends string, S extends ContractSpec>(
  contract: Contract<N, S>,
  factory: ServiceFactory<Contract<N, S>>,
): ServiceDefinition<Contract<N, S>> {
  return Object.freeze({
    kind: "banyan.service",
    contract,
    // The node makes the tools from this very contract, so they have the type the factory asks for.
    build: (tools: unknown) => factory(tools as ServiceTools<Contract<N, S>>),
  });
}

/** True for what `defineService` made, also by another copy of this package. */
export function isServiceDefinition(value: unknown): value is ServiceDefinition {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "banyan.service"
  );
}
