/**
 * The SQLite state engine: one file, one owner, every acknowledged write on disk.
 *
 * What it owns: its share of the file, the sweep timer, the stores that were opened.
 * What may interrupt it: the answers of the writer thread and the timer, between two turns.
 *
 * S1. A write is handed over before its method first waits, so writes take effect in the order of
 *     the calls (E8).
 * S2. The sweep takes a bounded bite at a time and goes on soon where there is more.
 * S3. A rider is told once, before its transaction is answered.
 */

import type { CancelTimer, Clock, Etag, Log, Waiting } from "@banyan/kernel";
import { closedError, createEtagSource, StateCapability, stateErrors } from "@banyan/state";
import type {
  BackupFile,
  CommitRider,
  EngineChange,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  StateEngine,
  TransactionOutcome,
} from "@banyan/state";
import { OutboxLoad } from "@banyan/state/internal";
import { storeFailure } from "./errors.ts";
import { resolveSqliteOptions } from "./options.ts";
import type { ResolvedSqliteOptions, SqliteOptions } from "./options.ts";
import type { PendingEntry } from "./pending-entries.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { outboxAddOf, SqliteOutbox } from "./sqlite-outbox.ts";
import { SqliteStore } from "./sqlite-store.ts";
import type { StoredCheck } from "./state-ops.ts";
import { reads } from "./state-sql.ts";
import type { WriteOp } from "./write-op.ts";

/** What the engine declares, known before a file is opened. */
export const sqliteCapabilities: ReadonlySet<StateCapability> = new Set([
  StateCapability.Expires,
  StateCapability.Revisions,
  StateCapability.Transaction,
  StateCapability.Outbox,
  StateCapability.Relay,
]);

const ENGINE_NAME = "sqlite";
const SWEEP_ROWS_MAX = 500; // some 5 ms of the writer thread
const SWEEP_SOON_MS = 50;

/**
 * Opens the engine on a file; the file's folder must be there.
 *
 * @throws SQLITE_FILE_UNUSABLE, SQLITE_FILE_CORRUPT, SQLITE_FILE_BUSY, SQLITE_READ_ONLY,
 *   SQLITE_SCHEMA_NEWER.
 */
export async function openSqlite(options: SqliteOptions): Promise<StateEngine> {
  const resolved = resolveSqliteOptions(options);
  const { file: path, clock, log, metrics, busyTimeoutMs, writesWaitingMax, warmUp } = resolved;
  const file = await openSqliteFile({
    path,
    clock,
    log,
    metrics,
    busyTimeoutMs,
    writesWaitingMax,
  });
  if (warmUp) file.warmUp();
  return createSqliteEngine(file, resolved);
}

/** The engine on a file that is open; its share of the file is the engine's from now on. */
export function createSqliteEngine(
  file: SqliteFile,
  options: Omit<ResolvedSqliteOptions, "file">,
): StateEngine {
  return new SqliteEngine(file, options);
}

class SqliteEngine implements StateEngine {
  readonly name = ENGINE_NAME;
  readonly durability = "durable";
  readonly capabilities = sqliteCapabilities;
  readonly medium: object;
  readonly outbox: SqliteOutbox;
  readonly #file: SqliteFile;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sweepIntervalMs: number;
  readonly #nextEtag: () => Etag;
  /** By id in the file: all views of a store are one. */
  readonly #stores = new Map<number, SqliteStore>();
  #cancelSweep: CancelTimer;
  #closing: Promise<void> | undefined = undefined;

  constructor(file: SqliteFile, options: Omit<ResolvedSqliteOptions, "file">) {
    this.medium = file.medium;
    this.#file = file;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#sweepIntervalMs = options.sweepIntervalMs;
    this.#nextEtag = createEtagSource(options.random);
    this.outbox = new SqliteOutbox({
      medium: file.medium,
      clock: options.clock,
      open: () => this.#open(),
    });
    this.#cancelSweep = this.#sweepIn(options.sweepIntervalMs);
  }

  async openStore({ scope, name, capabilities, durability }: EngineStoreSpec) {
    // A store that is known needs no write: a node opens dozens at its start.
    const known = this.#open().get(reads.storeId, scope, name)?.[0];
    const id = Number(known ?? (await this.#file.write(["stateOpen", scope, name])));
    const store = this.#stores.get(id) ?? this.#storeOn(id);
    store.ask({
      revisions: capabilities.has(StateCapability.Revisions),
      expires: durability === "ephemeral" || capabilities.has(StateCapability.Expires),
    });
    return store;
  }

  async transact(transaction: EngineTransaction): Promise<TransactionOutcome> {
    const { riders } = transaction;
    let isCommitted = false;
    try {
      isCommitted = await this.#transact(transaction);
    } finally {
      for (const rider of riders) {
        if (isCommitted) rider.committed();
        else rider.dropped();
      }
    }
    return { kind: isCommitted ? "committed" : "conflict" };
  }

  async backup(folder: string, options?: Waiting): Promise<readonly BackupFile[]> {
    return this.#open().backup(folder, options);
  }

  async check(): Promise<void> {
    await this.#open().check();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.try(() => {
      this.#cancelSweep();
      return this.#file.close();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storeOn(id: number): SqliteStore {
    const store = new SqliteStore(id, {
      clock: this.#clock,
      nextEtag: this.#nextEtag,
      open: () => this.#open(),
    });
    this.#stores.set(id, store);
    return store;
  }

  /** True when it was committed, false when a check did not hold. */
  async #transact({ checks, changes, riders }: EngineTransaction): Promise<boolean> {
    const now = this.#clock.nowMs();
    const loads = riders.flatMap((rider) => this.#loadOf(rider, now));
    const stored = checks.map(({ store, key, etag }): StoredCheck => [
      this.#ownStore(store).id,
      key,
      etag ?? null,
    ]);
    const planned = changes.map((change) => this.#plan(change, now));
    const ops = [...planned.map(({ op }) => op), ...loads];
    for (const { store, pending } of planned) if (pending !== undefined) store.handOver(pending);
    try {
      return (await this.#open().write(["stateTransact", now, stored, ops])) === true;
    } catch (error) {
      throw storeFailure(error);
    } finally {
      for (const { store, pending } of planned) if (pending !== undefined) store.settle(pending);
    }
  }

  #plan(change: EngineChange, now: number): PlannedChange {
    const store = this.#ownStore(change.store);
    const planned =
      change.kind === "set" ? store.planSet(change.write, now) : store.planDelete(change.key, now);
    return { store, op: planned.op, pending: planned.pending };
  }

  #ownStore(store: EngineStore): SqliteStore {
    if (store instanceof SqliteStore && this.#stores.get(store.id) === store) return store;
    throw stateErrors.STATE_TRANSACTION_MIXED(
      `A store of another engine was given to a transaction of the ${ENGINE_NAME} engine on ` +
        `${this.#file.path}; a transaction's stores are on one engine.`,
    );
  }

  #loadOf({ medium, load }: CommitRider, now: number): readonly WriteOp[] {
    if (medium !== this.medium) {
      throw stateErrors.STATE_RIDER_FOREIGN(
        `What rides on a transaction of the ${ENGINE_NAME} engine must be kept in the same file, ` +
          `${this.#file.path}; put the bus on ${ENGINE_NAME} too, or use the engine's outbox.`,
      );
    }
    if (load instanceof OutboxLoad) return [outboxAddOf(load, now)];
    // Whoever else has the medium has it from this file, whose loads are lists of writes.
    return (load ?? []) as readonly WriteOp[];
  }

  #sweepIn(delayMs: number): CancelTimer {
    return this.#clock.setTimer(delayMs, () => {
      void this.#sweep();
    });
  }

  /** Runs by itself, so it reports by log; what it could not remove is dead all the same. */
  async #sweep(): Promise<void> {
    let pauseMs = this.#sweepIntervalMs;
    try {
      const now = this.#clock.nowMs();
      // A look first: where nothing expires an idle process leaves its disk alone.
      const isNeeded = this.#file.get(reads.expired, now) !== undefined;
      const swept = isNeeded ? await this.#file.write(["stateSweep", now, SWEEP_ROWS_MAX]) : 0;
      if (swept === SWEEP_ROWS_MAX) pauseMs = Math.min(SWEEP_SOON_MS, pauseMs);
    } catch (error) {
      this.#log.warn("expired entries could not be removed", { file: this.#file.path, error });
    }
    if (this.#closing === undefined) this.#cancelSweep = this.#sweepIn(pauseMs);
  }

  #open(): SqliteFile {
    if (this.#closing !== undefined) throw closedError(ENGINE_NAME);
    return this.#file;
  }
}

interface PlannedChange {
  readonly store: SqliteStore;
  readonly op: WriteOp;
  readonly pending: PendingEntry | undefined;
}
