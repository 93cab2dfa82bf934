/**
 * How a service does several things as one step: `transaction` of its tools, and what `once` is
 * made of.
 *
 * I1. What a transaction publishes is staged when its function has ended, on the bus or in the
 *     engine's outbox, and committed by the engine with the writes, or not at all.
 * I2. Listeners are told after the commit, of the events of the run that was committed and of no
 *     other.
 */

import type {
  AnyContract,
  Published,
  StagedPublishOptions,
  StoreSpec,
  TransactOptions,
  Waiting,
} from "@banyan/kernel";
import { currentCallContext, eventSpecOf, kernelErrors } from "@banyan/kernel/internal";
import { StateCapability, stateErrors } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { createTransactor } from "@banyan/state/internal";
import type { OpenTransaction, Transactor } from "@banyan/state/internal";
import type { OperationObserver } from "@banyan/telemetry/internal";
import { storeObserver } from "./engines.ts";
import type { OpenedStore, StagePublish } from "./engines.ts";
import { hostErrors } from "./errors.ts";
import type { NodeParts } from "./node-parts.ts";
import type { ToldEvent, ServicePublisher } from "./service-publisher.ts";

/** A transaction as its function sees it, the types of the contract erased. */
export interface ErasedTransaction {
  readonly stores: Readonly<Record<string, unknown>>;
  readonly publish: (event: string, payload: unknown, options?: StagedPublishOptions) => Published;
}

/** A run of a transaction: what the service sees of it, and all of it. */
export type Work<R> = (tx: ErasedTransaction, open: OpenTransaction) => Promise<R> | R;

/** One service's way to its engine. */
export interface ServiceTransactions {
  /** Where its transactions are committed; `undefined` where it declared no store for them. */
  readonly engine: StateEngine | undefined;
  /** @throws STATE_CAPABILITY_MISSING where it declared no store for them */
  run<R>(work: (tx: ErasedTransaction) => Promise<R> | R, options?: TransactOptions): Promise<R>;
  /** The same with the node's inbox in it, as `open.stores[inboxKey]`. */
  runWithInbox<R>(inbox: OpenedStore, work: Work<R>, options?: Waiting): Promise<R>;
}

/** No contract can declare a store of this name. */
export const inboxKey = "node.inbox";

export interface TransactionMeans {
  readonly stores: readonly OpenedStore[];
  readonly publisher: ServicePublisher;
  readonly node: NodeParts;
}

/** @throws NODE_START_FAILED where events have no way to leave with the engine's commits. */
export function createTransactions(
  contract: AnyContract,
  { stores, publisher, node }: TransactionMeans,
): ServiceTransactions {
  const own = stores.filter(({ spec }) => asksFor(spec, StateCapability.Transaction));
  const engine = own[0]?.engine;
  const names = own.map(({ name }) => name);
  const asksForOutbox = own.some(({ spec }) => asksFor(spec, StateCapability.Outbox));
  if (engine !== undefined && asksForOutbox) assertStager(contract, engine, node);

  const transactorOf = (shared: StateEngine, inbox: readonly OpenedStore[]): Way => {
    const { clock, random } = node;
    const place = { engine: shared.name, service: contract.name, store: "" };
    const entries = [
      ...own.map(({ name, store }) => [name, store] as const),
      ...inbox.map(({ store }) => [inboxKey, store] as const),
    ];
    return {
      transact: createTransactor({
        engine: shared,
        stores: Object.fromEntries(entries),
        clock,
        random,
      }),
      observer: storeObserver(place, node),
      // A service without such stores publishes with its record in the inbox alone.
      stage: asksForOutbox || own.length === 0 ? node.engines.stagerOf(shared) : undefined,
    };
  };

  const runOn = async <R>(way: Way, work: Work<R>, options?: TransactOptions): Promise<R> => {
    let told: readonly ToldEvent[] = [];
    const result = await way.transact(async (open) => {
      const onCommit = (events: readonly ToldEvent[]): void => {
        told = events;
      };
      const outlet = new Outlet(contract, { open, publisher, stage: way.stage, onCommit });
      const visible = Object.fromEntries(names.map((name) => [name, open.stores[name]]));
      const tx = Object.freeze({ stores: Object.freeze(visible), publish: outlet.publish });
      try {
        return await work(tx, open);
      } finally {
        outlet.close();
      }
    }, options);
    for (const event of told) await event.tell();
    return result;
  };

  const ownWay = engine === undefined ? undefined : transactorOf(engine, []);
  const inboxWays = new Map<OpenedStore, Way>();
  return {
    engine,
    async run(work, options) {
      if (ownWay === undefined) throw noStores(contract);
      // The service is handed its own part, and nothing of the node's.
      return watched(ownWay, () => runOn(ownWay, (tx) => work(tx), identified(options)));
    },
    async runWithInbox(inbox, work, options) {
      const way = inboxWays.get(inbox) ?? transactorOf(inbox.engine, [inbox]);
      inboxWays.set(inbox, way);
      return watched(way, () => runOn(way, work, options));
    },
  };
}

/** An id that one operation was given shall not answer for another one. */
function identified(options: TransactOptions | undefined): TransactOptions | undefined {
  if (options?.operationId === undefined || options.request !== undefined) return options;
  return { ...options, request: currentCallContext()?.operation };
}

/** How transactions over some stores are run. */
interface Way {
  readonly transact: Transactor;
  readonly observer: OperationObserver | undefined;
  /** How events are committed with them; `undefined` where they cannot be. */
  readonly stage: StagePublish | undefined;
}

async function watched<R>({ observer }: Way, run: () => Promise<R>): Promise<R> {
  const watch = observer?.begin("transaction");
  try {
    const result = await run();
    watch?.ended();
    return result;
  } catch (error) {
    watch?.ended(error);
    throw error;
  }
}

interface OutletMeans {
  readonly open: OpenTransaction;
  readonly publisher: ServicePublisher;
  readonly stage: StagePublish | undefined;
  /** Told of the events once they are committed: a run may lose, also to itself asked twice. */
  readonly onCommit: (events: readonly ToldEvent[]) => void;
}

/** What one run of a transaction publishes. */
class Outlet {
  readonly #contract: AnyContract;
  readonly #means: OutletMeans;
  readonly #prepared: ToldEvent[] = [];
  #isClosed = false;

  constructor(contract: AnyContract, means: OutletMeans) {
    this.#contract = contract;
    this.#means = means;
  }

  readonly publish: ErasedTransaction["publish"] = (event, payload, options) => {
    const { open, publisher, stage } = this.#means;
    if (this.#isClosed) {
      throw kernelErrors.CLOSED("The transaction has ended; publish inside of it only.");
    }
    assertDurable(this.#contract, event);
    const each = publisher.prepare(event, payload, options);
    if (stage === undefined) throw noOutbox(this.#contract, event);
    // One rider for all of them, made when the function has ended.
    if (this.#prepared.length === 0) {
      open.atCommit(() => {
        const rider = stage(this.#prepared.map(({ message }) => message));
        return {
          medium: rider.medium,
          load: rider.load,
          committed: () => {
            rider.committed();
            this.#means.onCommit(this.#prepared);
          },
          dropped: () => rider.dropped(),
        };
      });
    }
    this.#prepared.push(each);
    return each.published;
  };

  close(): void {
    this.#isClosed = true;
  }
}

/** Its bus may lose it, so a commit cannot promise it. */
function assertDurable({ name, spec }: AnyContract, event: string): void {
  const declared = spec.events?.[event];
  // An unknown event is refused, with the nearest one, by the publisher.
  if (declared === undefined || eventSpecOf(declared).durability !== "ephemeral") return;
  throw hostErrors.TRANSACTION_EVENT_EPHEMERAL(
    `The event ${name}.${event} is ephemeral, so it cannot be committed with a transaction: ` +
      "publish it afterwards, or declare it durable.",
    { details: { event: `${name}.${event}` } },
  );
}

function asksFor({ capabilities }: StoreSpec, capability: StateCapability): boolean {
  return capabilities?.includes(capability) === true;
}

function noStores({ name }: AnyContract): Error {
  return stateErrors.STATE_CAPABILITY_MISSING(
    `The service ${name} has no store for transactions: declare capabilities: ["transaction"] ` +
      "in its contract for each store that takes part.",
    { details: { service: name, capability: StateCapability.Transaction } },
  );
}

function noOutbox({ name }: AnyContract, event: string): Error {
  return stateErrors.STATE_CAPABILITY_MISSING(
    `${name}.${event} cannot be published with a transaction: declare capabilities: ` +
      `["transaction", "outbox"] for a store of ${name} that takes part, on an engine that the ` +
      "bus of durable events shares.",
    { details: { service: name, event, capability: StateCapability.Outbox } },
  );
}

/** The plan compared names; here they are open and say themselves what they share. */
function assertStager({ name }: AnyContract, engine: StateEngine, { engines }: NodeParts): void {
  if (engines.stagerOf(engine) !== undefined) return;
  const { bus } = engines;
  throw hostErrors.NODE_START_FAILED(
    `The service "${name}" publishes with its transactions, but the bus ${bus.name} cannot commit ` +
      `with the engine ${engine.name} of its stores, which has no outbox either; set engines.bus ` +
      "to one that can.",
    { details: { service: name, engine: engine.name, bus: bus.name } },
  );
}
