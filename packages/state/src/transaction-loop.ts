/**
 * The optimistic loop of transactions, for whoever makes one: functions of authors, and the writes
 * of a store that have an `operationId`.
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
 * T5. An operation is committed with its record, and only where there is none. So of all asks for
 *     it, also late ones of which nobody knows the outcome, one takes effect at most.
 * T6. Once an ask for an operation ended unknown, the call ends in the recorded answer or unknown:
 *     nothing else may say that nothing was written, for that ask may still be on its way.
 * T7. Under a lock it is committed only if the engine still has the lock's entry as its holder
 *     wrote it last. A renewal meanwhile is a conflict like any other; a lost lock ends it.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { BanyanError, CancelTimer, Clock, Random, Waiting } from "@banyan/kernel";
import { abortReasonOf } from "@banyan/kernel/internal";
import type { Awaitable, EngineCheck, StateEngine, TransactionOutcome } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { abortError, assertNotAborted, contendedError, engineFailure } from "./failures.ts";
import { TransactionRun } from "./open-transaction.ts";
import type { KeyPlace } from "./open-transaction.ts";
import { openOperationRecords } from "./operation-records.ts";
import type { Operation, OperationRecords } from "./operation-records.ts";
import type { ResolvedStoreLimits } from "./options.ts";
import type { StoreCore } from "./store-core.ts";
import { Turnstile } from "./turnstile.ts";
import type { Pass } from "./turnstile.ts";

/** What is done in one run; it may run more than once. */
export type Run<R> = (run: TransactionRun) => Promise<R> | R;

/** How one try went, up to the engine's answer. */
interface Trial<R> {
  readonly outcome: Awaitable<TransactionOutcome>;
  /** What the run answered, or threw, if the outcome is a commit. */
  readonly ending: { readonly kind: "result"; readonly result: R } | Thrown;
  readonly places: readonly KeyPlace[];
}

/** A lock that a transaction is under (T7). */
export interface TransactionGuard {
  readonly label: string;
  /** Resolves when it can be insisted on. @throws STATE_LOCK_LOST */
  ready(waiting: Waiting): Promise<void>;
  /** After a conflict: whether it is held still. @throws STATE_LOCK_LOST */
  confirm(waiting: Waiting): Promise<void>;
  /** What the engine must still have. @throws STATE_LOCK_LOST */
  check(): EngineCheck;
}

/** An operation, and where its record is. */
interface Claim<R> {
  readonly operation: Operation<R>;
  readonly records: OperationRecords;
}

/** What a commit goes by. */
interface Terms<R> {
  readonly options: Waiting;
  readonly claim: Claim<R> | undefined;
  readonly lock: TransactionGuard | undefined;
}

interface Attempt<R> extends Terms<R> {
  /** It was tried before, and lost. */
  readonly isAgain: boolean;
}

interface Thrown {
  readonly kind: "thrown";
  readonly error: unknown;
}

const LANES_HELD_MS = 1000; // longer than any honest run; see T3
const retryBackoff = { initialMs: 1, maxMs: 100 }; // a conflict is over as soon as it happened
/** A server that fails over, or a line that is mended, has some seconds. */
const ASKS_MAX = 6;
const askBackoff = { initialMs: 50, maxMs: 2000 };
const committed: TransactionOutcome = Object.freeze({ kind: "committed" });

/** One before each engine: transactors of several services may share its stores. */
const turnstiles = new WeakMap<StateEngine, Turnstile>();

function turnstileOf(engine: StateEngine): Turnstile {
  const turnstile = turnstiles.get(engine) ?? new Turnstile();
  turnstiles.set(engine, turnstile);
  return turnstile;
}

export interface LoopParts {
  readonly engine: StateEngine;
  readonly cores: ReadonlyMap<string, StoreCore<unknown>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ResolvedStoreLimits;
}

export class TransactionLoop {
  readonly #parts: LoopParts;
  readonly #turnstile: Turnstile;
  /** Whether a run may build on what is handed over and not acknowledged yet (E8). */
  readonly #pipelines: boolean;
  /** Opened by the first operation. */
  #records: OperationRecords | undefined = undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#turnstile = turnstileOf(parts.engine);
    const entries = Array.from(parts.cores.values(), (core) => core.entries);
    this.#pipelines = entries.every(({ latest }) => latest !== undefined);
  }

  /** What the run answered, once it is committed; or what it threw, once that is checked. */
  transact<R>(run: Run<R>, options: Waiting, lock?: TransactionGuard): Promise<R> {
    return this.#commit(run, { options, claim: undefined, lock });
  }

  /**
   * The same at most once, however often it is asked for: answers what was recorded. A lost answer
   * is asked for again here (T5, T6).
   * @throws STATE_OPERATION_MISMATCH, STATE_CAPABILITY_MISSING, STATE_OUTCOME_UNKNOWN
   */
  async once<R>(
    run: Run<R>,
    options: Waiting,
    { lock, ...operation }: Operation<R> & { readonly lock?: TransactionGuard | undefined },
  ): Promise<R> {
    let unknown: BanyanError | undefined;
    for (let ask = 1; ; ask += 1) {
      try {
        this.#records ??= await this.#openRecords();
        const claim = { operation, records: this.#records };
        return await this.#commit(run, { options, claim, lock });
      } catch (error) {
        if (isBanyanError(error, "STATE_OUTCOME_UNKNOWN")) unknown ??= error;
        // Under that id our write can never take effect.
        if (unknown === undefined || isBanyanError(error, "STATE_OPERATION_MISMATCH")) throw error;
        if (ask === ASKS_MAX || !isPassing(error)) throw unknown;
      }
      await this.#pauseUnless(unknown, ask, options);
    }
  }

  async #commit<R>(run: Run<R>, terms: Terms<R>): Promise<R> {
    const { options, claim, lock } = terms;
    const { limits } = this.#parts;
    let places: readonly KeyPlace[] = [];
    for (let attempt = 1; attempt <= limits.updateTriesMax; attempt += 1) {
      assertNotAborted(options);
      if (claim !== undefined && (attempt > 1 || !claim.operation.isBlind)) {
        const found = await this.#find(claim, options);
        if (found !== undefined) return found.answer;
      }
      if (lock !== undefined) await lock.ready(options);
      const lanes = places.length === 0 ? undefined : await this.#enterLanes(places, options);
      let trial: Trial<R>;
      try {
        trial = await this.#try(run, { ...terms, isAgain: attempt > 1 });
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
      if (lock !== undefined) await lock.confirm(options);
      if (attempt > 1) await this.#pause(attempt - 1, options);
    }
    throw this.#contended(`others were faster ${limits.updateTriesMax} times`);
  }

  /** One run, its end handed over to the engine. */
  async #try<R>(run: Run<R>, { isAgain, ...terms }: Attempt<R>): Promise<Trial<R>> {
    const { options, claim, lock } = terms;
    if (this.#turnstile.waiting >= this.#parts.limits.updatesWaitingMax) throw this.#crowded();
    const entering = this.#turnstile.enter(options, isAgain);
    const pass: Pass = entering instanceof Promise ? await entering.catch(throwAbort) : entering;
    try {
      const ledger = new TransactionRun(options);
      // Insisting on the lock's entry takes the place of a read.
      if (lock !== undefined) ledger.countRead(lock.label);
      let ending: Trial<R>["ending"];
      try {
        ending = { kind: "result", result: await run(ledger) };
      } catch (error) {
        ending = { kind: "thrown", error };
      }
      const unfinished = ledger.end();
      const places = ledger.places();
      if (ending.kind === "thrown") {
        const isCertain = ledger.isFailure(ending.error) || abortReasonOf(options) !== undefined;
        const checks = isCertain ? [] : checksOf(ledger, claim);
        return { outcome: this.#check(checks, options), ending, places };
      }
      if (unfinished > 0) throw unfinishedError(unfinished);
      assertNotAborted(options);
      if (claim === undefined) {
        return { outcome: this.#handOver(ledger, terms), ending, places };
      }
      const { operation } = claim;
      const answer = operation.encode(ending.result);
      const outcome = this.#handOver(ledger, terms, answer);
      // Whoever asks again is answered from the record, so this one is as well.
      return { outcome, ending: { kind: "result", result: operation.decode(answer) }, places };
    } finally {
      pass.leave();
    }
  }

  #handOver<R>(
    ledger: TransactionRun,
    { options, claim, lock }: Terms<R>,
    answer?: unknown,
  ): Awaitable<TransactionOutcome> {
    // Before riders are made: a lock that is lost throws.
    const held = lock === undefined ? [] : [lock.check()];
    const checks = [...held, ...checksOf(ledger, claim)];
    const riders = ledger.stage();
    const changes = ledger.changes();
    if (claim !== undefined) changes.push(claim.records.entry(claim.operation, answer));
    if (checks.length + changes.length + riders.length === 0) return committed;
    return this.#ask((engine) => engine.transact?.({ checks, changes, riders }, options));
  }

  /** What a run threw counts if what it had read was really there (T1). */
  #check(checks: readonly EngineCheck[], options: Waiting): Awaitable<TransactionOutcome> {
    if (checks.length === 0) return committed;
    const nothing = { checks, changes: [], riders: [] };
    return this.#ask((engine) => engine.transact?.(nothing, options));
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

  async #openRecords(): Promise<OperationRecords> {
    const { engine, cores, limits } = this.#parts;
    const [scope = ""] = Array.from(cores.values(), (core) => core.scope);
    try {
      return await openOperationRecords(engine, scope, limits.operationKeptMs);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #find<R>(
    { records, operation }: Claim<R>,
    options: Waiting,
  ): Promise<{ answer: R } | undefined> {
    try {
      return await records.find(operation, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Before the next ask; nobody is told less than what is known by then. */
  async #pauseUnless(unknown: BanyanError, ask: number, options: Waiting): Promise<void> {
    const { clock, random } = this.#parts;
    const delayMs = backoffMs(ask, random, askBackoff);
    await clock.sleep(delayMs, { signal: options.signal }).catch(() => {
      throw unknown;
    });
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

function checksOf<R>(ledger: TransactionRun, claim: Claim<R> | undefined): EngineCheck[] {
  const checks = ledger.checks();
  if (claim !== undefined) checks.push(claim.records.absence(claim.operation));
  return checks;
}

/** Whether asking again may well end otherwise. */
function isPassing(error: unknown): boolean {
  return (
    isBanyanError(error, "STATE_OUTCOME_UNKNOWN") ||
    isBanyanError(error, "STATE_ENGINE_UNAVAILABLE")
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
