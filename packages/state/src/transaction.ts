/**
 * Transactions of authors: several reads and writes on the stores of one engine, as one step.
 *
 * They are optimistic. A run remembers the etag of everything it read and keeps its writes back; at
 * its end both go to the engine as one `transact`. If somebody wrote in between, it runs again
 * (`transaction-loop.ts`, which has the invariants).
 */

import { systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Lock, Random, Store, TransactionStore, TransactOptions } from "@banyan/kernel";
import { StateCapability } from "./engine.ts";
import type { StateEngine } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { HeldLock } from "./lock/held-lock.ts";
import type { StageRider, TransactionRun } from "./open-transaction.ts";
import { resolveStoreLimits } from "./options.ts";
import type { StoreLimits } from "./options.ts";
import type { StoreCore } from "./store-core.ts";
import { TransactionLoop } from "./transaction-loop.ts";
import { transactionOperation } from "./transaction-operation.ts";
import { TypedStore } from "./typed-store.ts";

/** Stores by the name they have in the transaction. */
export type TransactorStores = Readonly<Record<string, Store<unknown>>>;

/** What a run works with. */
export interface OpenTransaction<S extends TransactorStores = TransactorStores> {
  readonly stores: {
    readonly [K in keyof S]: S[K] extends Store<infer V> ? TransactionStore<V> : never;
  };
  /**
   * Commits something with the transaction, such as a publish to a bus on the engine's medium.
   * `stage` is called once the run has ended; what it throws ends the transaction.
   * @throws STATE_CAPABILITY_MISSING where the engine has no `outbox`
   */
  atCommit(stage: StageRider): void;
}

/**
 * Runs a function as one step. It may run more than once, so it must do nothing but use what it is
 * handed; what it answers is answered once it is committed. With an `operationId` it is committed
 * once at most, and its answer must be JSON data of at most 64 KiB: who asks again gets a copy.
 *
 * @throws STATE_UPDATE_CONTENDED after too many conflicts, STATE_TRANSACTION_UNFINISHED,
 *   STATE_LOCK_LOST and STATE_LOCK_INVALID of the lock it is under, what the engine throws, and
 *   what the function throws; STATE_VALUE_INVALID and STATE_VALUE_TOO_LARGE for an answer that
 *   cannot be recorded
 */
export type Transactor<S extends TransactorStores = TransactorStores> = <R>(
  run: (tx: OpenTransaction<S>) => Promise<R> | R,
  options?: TransactOptions,
) => Promise<R>;

export interface TransactorOptions<S extends TransactorStores> {
  readonly engine: StateEngine;
  /** Opened by `openStore` on the engine, each having asked for `transaction`. */
  readonly stores: S;
  /** Default: the real clock. */
  readonly clock?: Clock;
  /** Default: the real source. */
  readonly random?: Random;
  /** Tries and waiters, as for `update`. */
  readonly limits?: StoreLimits;
}

/**
 * Makes the way to run transactions over some stores of one engine.
 *
 * @throws STATE_TRANSACTION_MIXED, STATE_CAPABILITY_MISSING, STATE_OPTION_INVALID
 * @example
 * const transact = createTransactor({ engine, stores: { stock, orders } });
 * await transact(async ({ stores }) => {
 *   await stores.stock.update("apple", (count = 0) => count - 1);
 *   stores.orders.set("1", { item: "apple" });
 * });
 */
export function createTransactor<S extends TransactorStores>(
  options: TransactorOptions<S>,
): Transactor<S> {
  const { engine, clock = systemClock, random = systemRandom } = options;
  const limits = resolveStoreLimits(options.limits);
  const cores = coresOf(engine, options.stores);
  const loop = new TransactionLoop({ engine, cores, clock, random, limits });
  return (run, waiting = {}) => {
    // The views are made from these very stores, by name.
    const work = (ledger: TransactionRun) => run(open(ledger, engine, cores) as OpenTransaction<S>);
    // Not its signal: a call makes one only for who reads it.
    const { operationId, under, request } = waiting;
    return Promise.try(() => {
      const lock = under === undefined ? undefined : lockOf(under, engine, cores);
      if (operationId === undefined) return loop.transact(work, waiting, lock);
      const identity = { lock: lock?.label, request };
      return loop.once(work, waiting, {
        ...transactionOperation(operationId, cores, identity),
        lock,
      });
    });
  };
}

type Cores = ReadonlyMap<string, StoreCore<unknown>>;

function open(ledger: TransactionRun, engine: StateEngine, cores: Cores): OpenTransaction {
  const stores: Record<string, TransactionStore<unknown>> = {};
  for (const [name, core] of cores) stores[name] = ledger.view(core);
  const atCommit = (stage: StageRider): void => {
    if (!engine.capabilities.has(StateCapability.Outbox)) throw noOutbox(engine, cores);
    ledger.atCommit(stage);
  };
  return { stores, atCommit };
}

/** @throws STATE_LOCK_INVALID */
function lockOf(handle: Lock, engine: StateEngine, cores: Cores): HeldLock {
  const lock = HeldLock.of(handle);
  if (lock?.engine === engine) return lock;
  const why =
    lock === undefined
      ? "what was given as a lock is none that was acquired here; give the one of an outcome `held`"
      : `the lock ${lock.label} is kept by the engine ${lock.engine.name}, and the transaction's ` +
        `stores by ${engine.name} (another one, even where the names agree); declare the lock ` +
        `with the durability of the stores that it guards`;
  throw stateErrors.STATE_LOCK_INVALID(
    `A transaction on ${labelsOf(cores)} cannot run under that lock: ${why}.`,
  );
}

function labelsOf(cores: Cores): string {
  return Array.from(cores.values(), ({ label }) => label).join(", ");
}

function noOutbox(engine: StateEngine, cores: Cores): Error {
  return stateErrors.STATE_CAPABILITY_MISSING(
    `A transaction on ${labelsOf(cores)} would commit something else with it, which needs ` +
      `"outbox", and the engine ${engine.name} does not offer it; choose another engine.`,
    { details: { capability: StateCapability.Outbox, engine: engine.name } },
  );
}

/** The stores' insides by name, after everything that could be wrong with them was looked at. */
function coresOf(engine: StateEngine, stores: TransactorStores): Cores {
  const cores = new Map<string, StoreCore<unknown>>();
  const names = new Map<string, string>();
  for (const [name, store] of Object.entries(stores)) {
    const core = TypedStore.coreOf(store);
    if (core === undefined) {
      throw stateErrors.STATE_OPTION_INVALID(
        `The store "${name}" was not opened by openStore, so no transaction can use it.`,
      );
    }
    assertUsable(engine, core);
    const id = JSON.stringify([core.scope, core.name]);
    const other = names.get(id);
    if (other !== undefined) {
      throw stateErrors.STATE_OPTION_INVALID(
        `The store ${core.label} is given to transactions twice, as "${other}" and "${name}"; ` +
          `once is enough.`,
      );
    }
    names.set(id, name);
    cores.set(name, core);
  }
  return cores;
}

function assertUsable(engine: StateEngine, core: StoreCore<unknown>): void {
  const { label, capabilities } = core;
  if (core.engine !== engine) {
    throw stateErrors.STATE_TRANSACTION_MIXED(
      `The store ${label} is kept by the engine ${core.engine.name}, and the transaction is one ` +
        `of the engine ${engine.name} (another one, even where the names agree); keep all stores ` +
        `of a transaction on one engine.`,
      { details: { store: label, engine: core.engine.name, expected: engine.name } },
    );
  }
  if (capabilities.has(StateCapability.Transaction) && engine.transact !== undefined) return;
  throw stateErrors.STATE_CAPABILITY_MISSING(
    `The store ${label} is used in a transaction but has not asked for "transaction"; add it to ` +
      `the capabilities in its declaration.`,
    { details: { store: label, capability: StateCapability.Transaction, engine: engine.name } },
  );
}
