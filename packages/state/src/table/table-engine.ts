/**
 * A state engine on one table of a networked database: everything but the SQL.
 *
 * What it owns: the database's connections, the lane of writes, the stores that were opened, the
 * sweep. What may interrupt it: answers, deadlines and the sweep's timer, between two turns.
 *
 * N1. A write is handed over before its method first waits (E8).
 * N2. The sweep takes a bounded bite at a time and goes on soon where there is more.
 * N3. Entries live and die by the server's clock, so all nodes agree (`server-time.ts`).
 */

import type { CancelTimer, Clock, Etag, Log, Random, Waiting } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type {
  CommitRider,
  EngineChange,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  StateEngine,
  TransactionOutcome,
} from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { createEtagSource } from "../etags.ts";
import { closedError } from "../failures.ts";
import { outboxLoadsOf } from "../outbox-rider.ts";
import { abandonable } from "./abandonable.ts";
import { ReadBatches } from "./read-batches.ts";
import { ServerTime } from "./server-time.ts";
import type { TableDatabase, TableLetter } from "./table-database.ts";
import { unavailableError } from "./table-failures.ts";
import type { TableOutcome } from "./table-op.ts";
import { TableOutbox } from "./table-outbox.ts";
import { TableStore } from "./table-store.ts";
import type { PlannedChange } from "./table-store.ts";
import { WriteLane } from "./write-lane.ts";

/** What every engine on a table declares, known before a server is asked. */
export const tableCapabilities: ReadonlySet<StateCapability> = new Set([
  StateCapability.Expires,
  StateCapability.Revisions,
  StateCapability.Transaction,
  StateCapability.Outbox,
  StateCapability.Relay,
]);

const SWEEP_ROWS_MAX = 500;
const SWEEP_SOON_MS = 50;

export interface TableEngineOptions {
  /** The engine's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly commandTimeoutMs: number;
  readonly sweepIntervalMs: number;
  readonly writesWaitingMax: number;
  readonly readersMax: number;
  /** Whose clock decides about expiry. */
  readonly time: "server" | "node";
}

/** The engine on a database that is reached and migrated, and is the engine's from now on. */
export async function createTableEngine(
  database: TableDatabase,
  options: TableEngineOptions,
): Promise<StateEngine> {
  const ask = options.time === "server" ? () => database.nowMs() : undefined;
  const time = new ServerTime(options.clock, ask);
  await time.measure();
  if (time.isPoor) {
    options.log.warn("the server's time is known poorly, so what is over lives longer", {
      at: database.place,
      errorMs: Math.ceil(time.errorMs),
    });
  }
  return new TableEngine(database, options, time);
}

class TableEngine implements StateEngine {
  readonly name: string;
  readonly durability = "durable";
  readonly capabilities = tableCapabilities;
  /** No bus shares a commit of the server; what rides are rows of the outbox. */
  readonly medium: object;
  readonly outbox: TableOutbox;
  readonly #database: TableDatabase;
  readonly #options: TableEngineOptions;
  readonly #time: ServerTime;
  readonly #lane: WriteLane;
  readonly #reads: ReadBatches;
  readonly #nextEtag: () => Etag;
  /** By number in the table: all views of a store are one. */
  readonly #stores = new Map<number, TableStore>();
  #cancelSweep: CancelTimer;
  #closing: Promise<void> | undefined = undefined;

  constructor(database: TableDatabase, options: TableEngineOptions, time: ServerTime) {
    this.name = options.name;
    this.#database = database;
    this.#options = options;
    this.#time = time;
    const { name: engine, readersMax: statementsMax } = options;
    this.#lane = new WriteLane({ ...options, engine, database });
    this.#reads = new ReadBatches({ ...options, engine, database, statementsMax });
    this.#nextEtag = createEtagSource(options.random);
    this.medium = Object.freeze({ name: database.place });
    this.outbox = new TableOutbox({
      engine,
      medium: this.medium,
      database,
      nowMs: () => this.#nowMs(),
      endMs: (lifeMs) => this.#endMs(lifeMs),
      ask: (question, waiting) => this.#ask(question, waiting),
    });
    this.#cancelSweep = this.#sweepIn(options.sweepIntervalMs);
  }

  async openStore({ scope, name, capabilities, durability }: EngineStoreSpec): Promise<TableStore> {
    const id = await this.#ask(() => this.#database.openStore(scope, name), undefined);
    const store = this.#stores.get(id) ?? this.#storeOn(id);
    store.demand({
      revisions: capabilities.has(StateCapability.Revisions),
      expires: durability === "ephemeral" || capabilities.has(StateCapability.Expires),
    });
    return store;
  }

  async transact(transaction: EngineTransaction, waiting?: Waiting): Promise<TransactionOutcome> {
    const { riders } = transaction;
    let isCommitted = false;
    try {
      const { kind } = await this.#transact(transaction, waiting);
      isCommitted = kind === "done";
      return { kind: isCommitted ? "committed" : "conflict" };
    } finally {
      for (const rider of riders) {
        if (isCommitted) rider.committed();
        else rider.dropped();
      }
    }
  }

  async check(waiting?: Waiting): Promise<void> {
    await this.#ask(() => this.#database.check(), waiting);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#cancelSweep();
    await this.#lane.close();
    await this.#database.close();
  }

  #storeOn(id: number): TableStore {
    const store = new TableStore(id, {
      engine: this.name,
      database: this.#database,
      reads: this.#reads,
      nowMs: () => this.#nowMs(),
      endMs: (lifeMs) => this.#endMs(lifeMs),
      nextEtag: this.#nextEtag,
      write: (op, waiting) => this.#lane.write(op, waiting),
      ask: (read, waiting) => this.#ask(read, waiting),
    });
    this.#stores.set(id, store);
    return store;
  }

  async #transact(
    { checks, changes, riders }: EngineTransaction,
    waiting: Waiting | undefined,
  ): Promise<TableOutcome> {
    const now = this.#nowMs();
    const letters = this.#lettersOf(riders);
    const insisted = checks.map(({ store, key, etag }) => {
      return { store: this.#ownStore(store).id, key, etag };
    });
    const planned = changes.map((change) => this.#plan(change, now));
    for (const { store, plan } of planned) store.handOver(plan);
    try {
      const made = planned.map(({ plan }) => plan.change);
      return await this.#lane.write({ now, checks: insisted, changes: made, letters }, waiting);
    } finally {
      for (const { store, plan } of planned) store.settle(plan);
    }
  }

  #plan(change: EngineChange, now: number): { store: TableStore; plan: PlannedChange } {
    const store = this.#ownStore(change.store);
    const plan =
      change.kind === "set" ? store.planSet(change.write, now) : store.planDelete(change.key, now);
    return { store, plan };
  }

  #ownStore(store: EngineStore): TableStore {
    if (store instanceof TableStore && this.#stores.get(store.id) === store) return store;
    throw stateErrors.STATE_TRANSACTION_MIXED(
      `A store of another engine was given to a transaction of the ${this.name} engine; a ` +
        `transaction's stores are on one engine.`,
    );
  }

  /** @throws STATE_RIDER_FOREIGN */
  #lettersOf(riders: readonly CommitRider[]): readonly TableLetter[] {
    if (riders.length === 0) return [];
    const left = outboxLoadsOf(riders, { engine: this.name, medium: this.medium });
    return left.flatMap(({ loads, hold: { by, leaseMs } }) =>
      loads.map((load) => ({ load, by, heldUntil: Math.ceil(this.#endMs(leaseMs)) })),
    );
  }

  /** A question to the server: what the engine did not say by name is a failed engine. */
  async #ask<T>(question: () => Promise<T>, waiting: Waiting | undefined): Promise<T> {
    if (this.#closing !== undefined) throw closedError(this.name);
    try {
      return await abandonable(question(), waiting);
    } catch (error) {
      if (isBanyanError(error) && /^(?:STATE_|CALL_|CLOSED$)/.test(error.code)) throw error;
      throw unavailableError(this.name, "cannot be reached or refused", error);
    }
  }

  #nowMs(): number {
    if (this.#closing !== undefined) throw closedError(this.name);
    return this.#time.nowMs();
  }

  #endMs(lifeMs: number): number {
    if (this.#closing !== undefined) throw closedError(this.name);
    return this.#time.endMs(lifeMs);
  }

  #sweepIn(delayMs: number): CancelTimer {
    return this.#options.clock.setTimer(delayMs, () => {
      void this.#sweep();
    });
  }

  /** Runs by itself, so it reports by log; what it could not remove is dead all the same. */
  async #sweep(): Promise<void> {
    const { sweepIntervalMs, log } = this.#options;
    let pauseMs = sweepIntervalMs;
    try {
      await this.#time.measure();
      const swept = await this.#database.sweep(this.#nowMs(), SWEEP_ROWS_MAX);
      if (swept === SWEEP_ROWS_MAX) pauseMs = Math.min(SWEEP_SOON_MS, pauseMs);
    } catch (error) {
      if (this.#closing === undefined) {
        log.warn("expired entries could not be removed", { at: this.#database.place, error });
      }
    }
    if (this.#closing === undefined) this.#cancelSweep = this.#sweepIn(pauseMs);
  }
}
