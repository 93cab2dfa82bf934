/**
 * Transactions: several reads and writes on the stores of one engine, as one step.
 *
 * They are optimistic. A run remembers the etag of everything it read and keeps its writes back; at
 * its end both go to the engine as one `transact`. If somebody wrote in between, it runs again.
 *
 * What it owns: nothing between two transactions but the turnstile before their engine.
 * What may interrupt it: the caller's signal, until the commit was handed over; from then on the
 * outcome is told.
 *
 * T1. What a transaction answers, or throws, was concluded from entries that were there together
 *     when it was committed; without writes they are checked all the same.
 * T2. One that threw wrote nothing, and its riders were dropped.
 * T3. Lanes and turnstile only keep transactions out of each other's way. Both let go after a
 *     while, so a run that waits for its own keys elsewhere is late, never stuck.
 * T4. Lanes are entered in one order everywhere, and updates hold one at most: nobody waits in a
 *     circle.
 * T5. Under a lock it is committed only if the engine still has the lock's entry as its holder
 *     wrote it last. A renewal meanwhile is a conflict like any other; a lost lock ends it.
 */

import { backoffMs, systemClock, systemRandom } from "@banyan/kernel";
import type {
  CancelTimer,
  Clock,
  Lock,
  Random,
  Store,
  TransactionStore,
  TransactOptions,
  Waiting,
} from "@banyan/kernel";
import { abortReasonOf } from "@banyan/kernel/internal";
import { StateCapability } from "./engine.ts";
import type { Awaitable, EngineCheck, StateEngine, TransactionOutcome } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { abortError, assertNotAborted, contendedError, engineFailure } from "./failures.ts";
import { HeldLock } from "./lock/held-lock.ts";
import { TransactionRun } from "./open-transaction.ts";
import type { KeyPlace, StageRider } from "./open-transaction.ts";
import { resolveStoreLimits } from "./options.ts";
import type { ResolvedStoreLimits, StoreLimits } from "./options.ts";
import { Turnstile } from "./turnstile.ts";
import type { Pass } from "./turnstile.ts";
import { TypedStore } from "./typed-store.ts";
import type { StoreCore } from "./typed-store.ts";

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
 * handed; what it answers is answered once it is committed.
 *
 * @throws STATE_UPDATE_CONTENDED after too many conflicts, STATE_TRANSACTION_UNFINISHED,
 *   STATE_LOCK_LOST and STATE_LOCK_INVALID of the lock it is under, what the engine throws, and
 *   what the function throws
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

/** How one try went, up to the engine's answer. */
interface Trial<R> {
  readonly outcome: Awaitable<TransactionOutcome>;
  /** What the run answered, or threw, if the outcome is a commit. */
  readonly ending: { readonly kind: "result"; readonly result: R } | Thrown;
  readonly places: readonly KeyPlace[];
}

/** What a try goes by. */
interface TrialTerms {
  readonly waiting: Waiting;
  readonly lock: HeldLock | undefined;
  readonly isAgain: boolean;
}

interface Thrown {
  readonly kind: "thrown";
  readonly error: unknown;
}

const LANES_HELD_MS = 1000; // longer than any honest run; see T3
const retryBackoff = { initialMs: 1, maxMs: 100 }; // a conflict is over as soon as it happened
const committed: TransactionOutcome = Object.freeze({ kind: "committed" });

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
  // The views are made from these very stores, by name.
  return (run, waiting = {}) => loop.transact((tx) => run(tx as OpenTransaction<S>), waiting);
}

/** One before each engine: transactors of several services may share its stores. */
const turnstiles = new WeakMap<StateEngine, Turnstile>();

function turnstileOf(engine: StateEngine): Turnstile {
  const turnstile = turnstiles.get(engine) ?? new Turnstile();
  turnstiles.set(engine, turnstile);
  return turnstile;
}

interface LoopParts {
  readonly engine: StateEngine;
  readonly cores: ReadonlyMap<string, StoreCore<unknown>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ResolvedStoreLimits;
}

class TransactionLoop {
  readonly #parts: LoopParts;
  readonly #turnstile: Turnstile;
  /** Whether a run may build on what is handed over and not acknowledged yet (E8). */
  readonly #pipelines: boolean;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#turnstile = turnstileOf(parts.engine);
    const entries = Array.from(parts.cores.values(), (core) => core.entries);
    this.#pipelines = entries.every(({ latest }) => latest !== undefined);
  }

  async transact<R>(
    run: (tx: OpenTransaction) => Promise<R> | R,
    options: TransactOptions,
  ): Promise<R> {
    const { limits } = this.#parts;
    const lock = options.under === undefined ? undefined : this.#lockOf(options.under);
    let places: readonly KeyPlace[] = [];
    for (let attempt = 1; attempt <= limits.updateTriesMax; attempt += 1) {
      assertNotAborted(options);
      if (lock !== undefined) await lock.ready();
      const lanes = places.length === 0 ? undefined : await this.#enterLanes(places, options);
      let trial: Trial<R>;
      try {
        trial = await this.#try(run, { waiting: options, lock, isAgain: attempt > 1 });
        // Its failure is heard below; here it is only waited for.
        if (!this.#pipelines && trial.outcome instanceof Promise) await trial.outcome.catch(ignore);
      } finally {
        lanes?.leave();
      }
      if ((await this.#named(trial.outcome)).kind === "committed") {
        if (trial.ending.kind === "thrown") throw trial.ending.error;
        return trial.ending.result;
      }
      places = mergePlaces(places, trial.places);
      if (lock !== undefined) await lock.confirm();
      if (attempt > 1) await this.#pause(attempt - 1, options);
    }
    throw this.#contended(`others were faster ${limits.updateTriesMax} times`);
  }

  /** One run, its end handed over to the engine. */
  async #try<R>(
    run: (tx: OpenTransaction) => Promise<R> | R,
    { waiting: options, lock, isAgain }: TrialTerms,
  ): Promise<Trial<R>> {
    if (this.#turnstile.waiting >= this.#parts.limits.updatesWaitingMax) throw this.#crowded();
    const entering = this.#turnstile.enter(options, isAgain);
    const pass: Pass = entering instanceof Promise ? await entering.catch(throwAbort) : entering;
    try {
      const ledger = new TransactionRun();
      // Insisting on the lock's entry takes the place of a read.
      if (lock !== undefined) ledger.countRead(lock.label);
      let ending: Trial<R>["ending"];
      try {
        ending = { kind: "result", result: await run(this.#open(ledger)) };
      } catch (error) {
        ending = { kind: "thrown", error };
      }
      const unfinished = ledger.end();
      const places = ledger.places();
      if (ending.kind === "thrown") {
        const isCertain = ledger.isFailure(ending.error) || abortReasonOf(options) !== undefined;
        const checks = isCertain ? [] : ledger.checks();
        return { outcome: this.#check(checks), ending, places };
      }
      if (unfinished > 0) throw unfinishedError(unfinished);
      assertNotAborted(options);
      return { outcome: this.#handOver(ledger, { waiting: options, lock }), ending, places };
    } finally {
      pass.leave();
    }
  }

  /** @throws STATE_LOCK_INVALID */
  #lockOf(handle: Lock): HeldLock {
    const lock = HeldLock.of(handle);
    const { engine } = this.#parts;
    if (lock?.engine === engine) return lock;
    const why =
      lock === undefined
        ? "what was given as a lock is none that was acquired here; give the one of an outcome `held`"
        : `the lock ${lock.label} is kept by the engine ${lock.engine.name}, and the transaction's ` +
          `stores by ${engine.name} (another one, even where the names agree); declare the lock ` +
          `with the durability of the stores that it guards`;
    throw stateErrors.STATE_LOCK_INVALID(
      `A transaction on ${this.#labels()} cannot run under that lock: ${why}.`,
    );
  }

  #open(ledger: TransactionRun): OpenTransaction {
    const stores: Record<string, TransactionStore<unknown>> = {};
    for (const [name, core] of this.#parts.cores) stores[name] = ledger.view(core);
    return { stores, atCommit: (stage) => this.#atCommit(ledger, stage) };
  }

  #atCommit(ledger: TransactionRun, stage: StageRider): void {
    const { engine } = this.#parts;
    if (engine.capabilities.has(StateCapability.Outbox)) {
      ledger.atCommit(stage);
      return;
    }
    throw stateErrors.STATE_CAPABILITY_MISSING(
      `A transaction on ${this.#labels()} would commit something else with it, which needs ` +
        `"outbox", and the engine ${engine.name} does not offer it; choose another engine.`,
      { details: { capability: StateCapability.Outbox, engine: engine.name } },
    );
  }

  #handOver(
    ledger: TransactionRun,
    { waiting: options, lock }: Omit<TrialTerms, "isAgain">,
  ): Awaitable<TransactionOutcome> {
    // Before riders are made: a lock that is lost throws.
    const checks = lock === undefined ? ledger.checks() : [lock.check(), ...ledger.checks()];
    const riders = ledger.stage();
    const changes = ledger.changes();
    if (checks.length + changes.length + riders.length === 0) return committed;
    return this.#ask((engine) => engine.transact?.({ checks, changes, riders }, options));
  }

  /** What a run threw counts if what it had read was really there (T1). */
  #check(checks: readonly EngineCheck[]): Awaitable<TransactionOutcome> {
    if (checks.length === 0) return committed;
    return this.#ask((engine) => engine.transact?.({ checks, changes: [], riders: [] }));
  }

  #ask(
    ask: (engine: StateEngine) => Awaitable<TransactionOutcome> | undefined,
  ): Awaitable<TransactionOutcome> {
    try {
      // It was looked for when the transactor was made.
      return ask(this.#parts.engine) ?? committed;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #named(outcome: Awaitable<TransactionOutcome>): Promise<TransactionOutcome> {
    try {
      return await outcome;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #enterLanes(places: readonly KeyPlace[], options: Waiting): Promise<HeldLanes> {
    const { clock, limits } = this.#parts;
    const held = new HeldLanes();
    try {
      for (const place of places) {
        const { core, key } = place;
        if (core.lanes.waiting(key) >= limits.updatesWaitingMax) {
          const why = `${limits.updatesWaitingMax} others wait for it already`;
          throw contendedError(core.label, key, why);
        }
        await core.lanes.enter(key, options)?.catch(throwAbort);
        held.add(place);
      }
    } catch (error) {
      held.leave();
      throw error;
    }
    held.leaveIn(LANES_HELD_MS, clock);
    return held;
  }

  async #pause(attempt: number, options: Waiting): Promise<void> {
    const { clock, random } = this.#parts;
    const delayMs = backoffMs(attempt, random, retryBackoff);
    await clock.sleep(delayMs, { signal: options.signal }).catch(throwAbort);
  }

  #crowded(): Error {
    const { updatesWaitingMax } = this.#parts.limits;
    return this.#contended(`${updatesWaitingMax} others wait already`);
  }

  #contended(why: string): Error {
    return stateErrors.STATE_UPDATE_CONTENDED(
      `A transaction on ${this.#labels()} could not be committed: ${why}. Try again later.`,
      { retryAfterMs: 100 },
    );
  }

  #failure(error: unknown): Error {
    return engineFailure(error, this.#parts.engine.name, this.#labels());
  }

  #labels(): string {
    return Array.from(this.#parts.cores.values(), ({ label }) => label).join(", ");
  }
}

/** Lanes of one try, left once: at its hand-over, or when it took too long (T3). */
class HeldLanes {
  readonly #held: KeyPlace[] = [];
  #cancel: CancelTimer | undefined = undefined;

  add(place: KeyPlace): void {
    this.#held.push(place);
  }

  leaveIn(delayMs: number, clock: Clock): void {
    this.#cancel = clock.setTimer(delayMs, () => this.leave());
  }

  leave(): void {
    this.#cancel?.();
    for (const { core, key } of this.#held.splice(0)) core.lanes.leave(key);
  }
}

/** All places of both, each once, in the order in which lanes are entered (T4). */
function mergePlaces(known: readonly KeyPlace[], more: readonly KeyPlace[]): readonly KeyPlace[] {
  const sorted = [...known, ...more].sort((a, b) => {
    if (a.core !== b.core) return a.core.lanes.order - b.core.lanes.order;
    return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
  });
  return sorted.filter(({ core, key }, index) => {
    const before = sorted[index - 1];
    return before?.core !== core || before.key !== key;
  });
}

/** The stores' insides by name, after everything that could be wrong with them was looked at. */
function coresOf(
  engine: StateEngine,
  stores: TransactorStores,
): ReadonlyMap<string, StoreCore<unknown>> {
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

function unfinishedError(begun: number): Error {
  return stateErrors.STATE_TRANSACTION_UNFINISHED(
    `The function of a transaction ended while ${begun} of its reads or updates still ran, so ` +
      `nothing was written; await everything that is begun inside it.`,
  );
}

function throwAbort(reason: unknown): never {
  throw abortError(reason);
}

function ignore(): void {}
