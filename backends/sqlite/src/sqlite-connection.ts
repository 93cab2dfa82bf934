/**
 * The seam between the engine and the file: reads, and writes as plain data.
 *
 * Today one connection does both on the calling thread. A write is data and its answer a number so
 * that a writer thread can stand here instead, collect what comes in one turn into one commit, and
 * leave the engine as it is; reads then have a connection of their own on the calling thread.
 *
 * C1. When a write has been answered, it is in the file's log and the log is on disk
 *     (`synchronous = FULL`): neither `kill -9` nor a power cut takes it back.
 */

import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Log } from "@banyan/kernel";
import type { Awaitable } from "@banyan/state";
import { EntryTable } from "./entry-table.ts";
import { sqliteErrors, sqliteFailure } from "./errors.ts";
import { migrate } from "./migrations.ts";
import type { ScanBounds, StoredRow, WriteCommand } from "./write-command.ts";

/** One file, as the engine uses it. Reads answer at once; a write may be answered later. */
export interface SqliteConnection {
  get(store: number, key: string, now: number): StoredRow | undefined;
  has(store: number, key: string, now: number): boolean;
  /** What was found, in no order. */
  getMany(store: number, keys: readonly string[], now: number): StoredRow[];
  scan(bounds: ScanBounds): StoredRow[];
  /**
   * How many rows were changed (0: a condition did not hold); for `openStore` the store's id.
   * @throws SQLITE_FILE_UNUSABLE when the path no longer leads to this file; nothing was written.
   */
  write(command: WriteCommand): Awaitable<number>;
  /** @throws SQLITE_FILE_UNUSABLE when the path no longer leads to this file. */
  check(): Awaitable<void>;
  close(): Awaitable<void>;
}

export interface ConnectionOptions {
  readonly file: string;
  readonly busyTimeoutMs: number;
  readonly log: Log;
}

/** Opens the file, or makes it, and brings its schema up to date. */
export function openConnection(options: ConnectionOptions): SqliteConnection {
  const { file, busyTimeoutMs, log } = options;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: busyTimeoutMs });
    const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
    // Some network file systems cannot: slower there, but no less safe.
    if (mode !== "wal") log.warn("the database runs without its write-ahead log", { file, mode });
    database.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
    database.exec("PRAGMA journal_size_limit = 67108864;"); // after a burst the log shrinks again
    migrate(database, file);
    return new CallerThreadConnection(database, file);
  } catch (error) {
    database?.close();
    throw sqliteFailure(error, file);
  }
}

/** Reads and writes on the calling thread: a write holds the event loop until it is on disk. */
class CallerThreadConnection implements SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #table: EntryTable;
  /** Which file on disk this is, whatever its path leads to later. */
  readonly #identity: string;

  constructor(database: DatabaseSync, file: string) {
    this.#database = database;
    this.#file = file;
    this.#table = new EntryTable(database);
    this.#identity = identityOf(file);
  }

  get(store: number, key: string, now: number): StoredRow | undefined {
    try {
      return this.#table.get(store, key, now);
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }

  has(store: number, key: string, now: number): boolean {
    try {
      return this.#table.has(store, key, now);
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }

  getMany(store: number, keys: readonly string[], now: number): StoredRow[] {
    try {
      return this.#table.getMany(store, keys, now);
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }

  scan(bounds: ScanBounds): StoredRow[] {
    try {
      return this.#table.scan(bounds);
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }

  write(command: WriteCommand): number {
    // A look at the path costs microseconds beside the write, and saves from acknowledging what
    // goes into a deleted file (C1).
    this.#assertInPlace();
    try {
      return this.#table.write(command);
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
  }

  check(): void {
    try {
      this.#database.prepare("SELECT count(*) FROM stores").get();
    } catch (error) {
      throw sqliteFailure(error, this.#file);
    }
    this.#assertInPlace();
  }

  close(): void {
    this.#database.close();
  }

  #assertInPlace(): void {
    let cause: unknown;
    try {
      if (identityOf(this.#file) === this.#identity) return;
    } catch (error) {
      cause = error;
    }
    throw sqliteErrors.SQLITE_FILE_UNUSABLE(
      `The database file ${this.#file} was moved, deleted or replaced while it was open; nothing ` +
        `is written any more. Stop the node and put the file back.`,
      { details: { file: this.#file }, cause },
    );
  }
}

function identityOf(file: string): string {
  if (file === ":memory:") return file;
  const { dev, ino } = statSync(file, { bigint: true });
  return `${dev}:${ino}`;
}
