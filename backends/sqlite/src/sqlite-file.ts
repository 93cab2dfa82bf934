/**
 * One database file, shared by everything of this process that is kept in it: the state engine and
 * the bus. Reads that are short run on the calling thread; every write, and what is long, does not.
 *
 * The way of a write: `write` puts it into the group that is being collected → at the end of the
 * turn the group goes to the writer thread → it runs the group in one transaction and commits → the
 * answers come back and the callers go on. While a group is being committed the next one collects.
 *
 * F1. Writes are executed in the order of the calls of `write`, each all or none.
 * F2. When a write has been answered it is in the file's log and the log is on disk
 *     (`synchronous = FULL`): neither `kill -9` nor a power cut takes it back.
 * F3. A write that failed changed nothing, unless it failed with SQLITE_OUTCOME_UNKNOWN. A failed
 *     write fails alone: the others of its group are done all the same.
 * F4. After a failure whose outcome is not known nothing is written any more (`check` says so): the
 *     process must start again and look.
 * F5. Nothing is written to a file that is no longer the one that was opened.
 */

import { basename, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLog, systemClock } from "@banyan/kernel";
import type { Clock, Log, Waiting } from "@banyan/kernel";
import { closedError } from "@banyan/state";
import type { Metrics } from "@banyan/telemetry";
import type { BackupFile } from "@banyan/state";
import { movedError, sqliteErrors, sqliteFailure } from "./errors.ts";
import { FileCopies } from "./file-copies.ts";
import { createFileMetrics } from "./file-metrics.ts";
import { identityOf } from "./file-identity.ts";
import { migrate } from "./migrations.ts";
import { ReaderThread } from "./reader-thread.ts";
import type { SqlRow, SqlValue } from "./sql-value.ts";
import { StatementCache } from "./statement-cache.ts";
import type { WriteOp } from "./write-op.ts";
import { WriteQueue } from "./write-queue.ts";

export type { SqlRow, SqlValue } from "./sql-value.ts";

export interface SqliteFile {
  /** Absolute. */
  readonly path: string;
  /** What state engine and bus on this file have in common: riders name it. */
  readonly medium: object;
  /**
   * Rows of a short query, on the calling thread: what is committed, and nothing of a group that is
   * on its way. Statements are prepared once per text. @throws SQLITE_… errors
   */
  get(sql: string, ...values: readonly SqlValue[]): SqlRow | undefined;
  all(sql: string, ...values: readonly SqlValue[]): SqlRow[];
  /** The same on the reader thread, for what may be long. */
  allAside(sql: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Starts the writer thread ahead of the first write, which then need not wait for that. */
  warmUp(): void;
  /**
   * Hands a write over; resolves with its answer when it is safe (F2).
   * @throws SQLITE_… errors; SQLITE_WRITE_QUEUE_FULL at once when too many wait
   */
  write(op: WriteOp): Promise<unknown>;
  /**
   * Writes a consistent, checked copy of the file into the folder, on a thread of its own; one at a
   * time. Stopped by the signal, and by `close`.
   */
  backup(folder: string, options?: Waiting): Promise<readonly BackupFile[]>;
  /**
   * Rejects while the file cannot be read, is not in its place, or takes no writes: after one that
   * failed for a reason that lies with the file it tries a small one.
   */
  check(): Promise<void>;
  /**
   * Lets go of one share when what was handed over is answered; the last one closes the file, and
   * breaks off a copy that is being made.
   */
  close(): Promise<void>;
}

export interface SqliteFileOptions {
  /** Made when it is not there; its folder must be. */
  readonly path: string;
  /** For the reader thread's rest. Default: the real clock. */
  readonly clock?: Clock | undefined;
  /** Default: none. */
  readonly log?: Log | undefined;
  /** Where commits are counted. Default: nowhere. */
  readonly metrics?: Metrics | undefined;
  /** How long a statement waits for another program that holds the file. Default 1000. */
  readonly busyTimeoutMs?: number | undefined;
  /** Writes that may wait for the writer thread. Default 1 000 000. */
  readonly writesWaitingMax?: number | undefined;
}

/** Files that are open in this process, by absolute path, each with its shares. */
const openFiles = new Map<string, OpenFile>();

/**
 * Opens the file, or makes it, and brings its schema up to date. Who opens it a second time gets a
 * share of the same connection and medium; the options of the first one hold.
 *
 * @throws SQLITE_FILE_UNUSABLE, SQLITE_FILE_CORRUPT, SQLITE_FILE_BUSY, SQLITE_READ_ONLY,
 *   SQLITE_SCHEMA_NEWER
 */
export async function openSqliteFile(options: SqliteFileOptions): Promise<SqliteFile> {
  const path = resolve(options.path);
  let open = openFiles.get(path);
  while (open?.closing !== undefined) {
    await open.closing;
    open = openFiles.get(path);
  }
  if (open === undefined) {
    open = new OpenFile({ ...options, path });
    openFiles.set(path, open);
  }
  return open.share();
}

/** The file itself, whoever shares it. */
class OpenFile {
  readonly path: string;
  readonly medium: object = Object.freeze({ name: "sqlite" });
  /** Set when the last share is gone. */
  closing: Promise<void> | undefined = undefined;
  readonly writes: WriteQueue;
  readonly reader: ReaderThread;
  readonly copies: FileCopies;
  readonly #database: DatabaseSync;
  readonly #statements: StatementCache;
  readonly #identity: string;
  readonly #unwatch: (() => void) | undefined;
  #shares = 0;

  constructor(options: SqliteFileOptions) {
    const { path, clock = systemClock, log = silentLog, busyTimeoutMs = 1000 } = options;
    const { writesWaitingMax = 1_000_000 } = options;
    this.path = path;
    this.#database = openDatabase({ path, busyTimeoutMs, log });
    this.#statements = new StatementCache(this.#database);
    const identity = identityOf(path);
    this.#identity = identity;
    const metrics = options.metrics && createFileMetrics(options.metrics, path);
    const onGroup = metrics?.onGroup;
    this.writes = new WriteQueue({ path, identity, busyTimeoutMs, writesWaitingMax, log, onGroup });
    this.#unwatch = metrics?.watch(this.writes);
    this.reader = new ReaderThread({ path, identity, busyTimeoutMs, clock });
    this.copies = new FileCopies({ path, identity, busyTimeoutMs });
  }

  share(): SqliteFile {
    this.#shares += 1;
    return new FileShare(this);
  }

  leave(): Promise<void> {
    this.#shares -= 1;
    if (this.#shares > 0) return this.writes.settled();
    this.closing ??= this.#close();
    return this.closing;
  }

  get(sql: string, values: readonly SqlValue[]): SqlRow | undefined {
    try {
      return this.#statements.get(sql, values);
    } catch (error) {
      throw sqliteFailure(error, this.path);
    }
  }

  all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    try {
      return this.#statements.all(sql, values);
    } catch (error) {
      throw sqliteFailure(error, this.path);
    }
  }

  async check(): Promise<void> {
    const { stopped, lastFailure } = this.writes;
    if (stopped !== undefined) throw stopped;
    this.get("SELECT count(*) FROM stores", []);
    if (identityOf(this.path) !== this.#identity) throw movedError(this.path);
    if (lastFailure !== undefined) await this.writes.write(["stateProbe"]);
  }

  /** The writer goes last: SQLite moves the log into the file then, beside the event loop. */
  async #close(): Promise<void> {
    try {
      this.copies.close();
      await this.reader.close();
      await this.writes.empty();
      this.#database.close();
      await this.writes.close();
    } finally {
      this.#unwatch?.();
      openFiles.delete(this.path);
    }
  }
}

/** What one who opened the file holds. */
class FileShare implements SqliteFile {
  readonly path: string;
  readonly medium: object;
  readonly #file: OpenFile;
  #closing: Promise<void> | undefined = undefined;

  constructor(file: OpenFile) {
    this.#file = file;
    this.path = file.path;
    this.medium = file.medium;
  }

  get(sql: string, ...values: readonly SqlValue[]): SqlRow | undefined {
    return this.#open().get(sql, values);
  }

  all(sql: string, ...values: readonly SqlValue[]): SqlRow[] {
    return this.#open().all(sql, values);
  }

  async allAside(sql: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.#open().reader.all(sql, values);
  }

  warmUp(): void {
    this.#open().writes.warmUp();
  }

  write(op: WriteOp): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(closedError("sqlite"));
    return this.#file.writes.write(op);
  }

  async backup(folder: string, options?: Waiting): Promise<readonly BackupFile[]> {
    const name = basename(this.path);
    const copy = resolve(folder, name);
    if (copy === this.path) {
      throw sqliteErrors.SQLITE_BACKUP_FAILED(
        `A copy in ${folder} would take the place of the database file ${this.path} itself; ` +
          `choose another folder.`,
        { details: { file: copy } },
      );
    }
    await this.#open().copies.copy(copy, options);
    return [{ path: name }];
  }

  async check(): Promise<void> {
    await this.#open().check();
  }

  close(): Promise<void> {
    this.#closing ??= this.#file.leave();
    return this.#closing;
  }

  #open(): OpenFile {
    if (this.#closing !== undefined) throw closedError("sqlite");
    return this.#file;
  }
}

/** Reads on the calling thread; everything but the schema is written by the writer thread. */
function openDatabase(options: {
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly log: Log;
}): DatabaseSync {
  const { path, busyTimeoutMs, log } = options;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
    // Some network file systems cannot: slower there, but no less safe.
    if (mode !== "wal") log.warn("the database runs without its write-ahead log", { path, mode });
    database.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
    migrate(database, path);
    database.exec("PRAGMA query_only = ON");
    return database;
  } catch (error) {
    database?.close();
    throw sqliteFailure(error, path);
  }
}
