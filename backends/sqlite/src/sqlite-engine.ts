/**
 * The SQLite state engine: one file, one owner, every acknowledged write on disk.
 *
 * What it owns: the connection and the sweep timer.
 * What may interrupt it: the timer, between two turns; nothing else, while the connection works on
 * the calling thread.
 *
 * S1. Time is the engine's clock, read once per call and handed down.
 * S2. The sweep takes a bounded bite at a time and goes on soon where there is more.
 */

import type { Clock, CancelTimer, Etag, Log } from "@banyan/kernel";
import {
  closedError,
  compareKeys,
  createEtagSource,
  prefixEnd,
  StateCapability,
} from "@banyan/state";
import type {
  Awaitable,
  Condition,
  DeleteOutcome,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineStoreSpec,
  EngineWrite,
  StateEngine,
  WriteOutcome,
} from "@banyan/state";
import { sqliteErrors } from "./errors.ts";
import { resolveSqliteOptions } from "./options.ts";
import type { ResolvedSqliteOptions, SqliteOptions } from "./options.ts";
import { openConnection } from "./sqlite-connection.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import type { StoredRow, WriteCommand, WriteRow } from "./write-command.ts";

/** What the engine declares, known before a file is opened. */
export const sqliteCapabilities: ReadonlySet<StateCapability> = new Set([StateCapability.Expires]);

const ENGINE_NAME = "sqlite";
const SWEEP_ROWS_MAX = 500; // some 5 ms of the event loop
const SWEEP_SOON_MS = 50;

/**
 * Opens the engine on a file; the file's folder must be there.
 *
 * @throws SQLITE_FILE_UNUSABLE, SQLITE_FILE_CORRUPT, SQLITE_FILE_BUSY, SQLITE_READ_ONLY,
 *   SQLITE_SCHEMA_NEWER.
 */
export function openSqlite(options: SqliteOptions): Promise<StateEngine> {
  return Promise.try(() => {
    const resolved = resolveSqliteOptions(options);
    return new SqliteEngine(openConnection(resolved), resolved);
  });
}

class SqliteEngine implements StateEngine {
  readonly name = ENGINE_NAME;
  readonly durability = "durable";
  readonly capabilities = sqliteCapabilities;
  readonly #connection: SqliteConnection;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sweepIntervalMs: number;
  readonly #nextEtag: () => Etag;
  #cancelSweep: CancelTimer;
  #closing: Promise<void> | undefined = undefined;

  constructor(connection: SqliteConnection, options: ResolvedSqliteOptions) {
    this.#connection = connection;
    this.#file = options.file;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#sweepIntervalMs = options.sweepIntervalMs;
    this.#nextEtag = createEtagSource(options.random);
    this.#cancelSweep = this.#sweepIn(options.sweepIntervalMs);
  }

  async openStore({ scope, name }: EngineStoreSpec): Promise<EngineStore> {
    this.#assertOpen();
    const store = await this.#connection.write({ kind: "openStore", scope, name });
    return this.#storeOn(store);
  }

  check(): Awaitable<void> {
    this.#assertOpen();
    return this.#connection.check();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.try(() => {
      this.#cancelSweep();
      return this.#connection.close();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storeOn(store: number): EngineStore {
    return {
      get: (key) => this.#entryOf(this.#open().get(store, key, this.#clock.nowMs())),
      getMany: (keys) => this.#getMany(store, keys),
      has: (key) => this.#open().has(store, key, this.#clock.nowMs()),
      set: (write, condition = {}) => this.#set(store, write, condition),
      setMany: (writes) => this.#setMany(store, writes),
      delete: (key, condition = {}) => this.#delete(store, key, condition),
      deleteMany: (keys) => this.#write({ kind: "deleteMany", store, keys, now: this.#now() }),
      scan: (scan) => this.#scan(store, scan),
    };
  }

  #getMany(store: number, keys: readonly string[]): readonly (EngineEntry | undefined)[] {
    const rows = this.#open().getMany(store, keys, this.#now());
    const found = new Map(rows.map((row) => [row[0], row]));
    return keys.map((key) => this.#entryOf(found.get(key)));
  }

  async #set(store: number, write: EngineWrite, condition: Condition): Promise<WriteOutcome> {
    const now = this.#now();
    const row = this.#rowOf(write, now);
    const { ifMatch, ifAbsent = false } = condition;
    const changed = await this.#write({ kind: "set", store, now, row, ifMatch, ifAbsent });
    return changed === 0 ? { kind: "conflict" } : { kind: "written", etag: row.etag };
  }

  async #setMany(store: number, writes: readonly EngineWrite[]): Promise<readonly Etag[]> {
    const now = this.#now();
    const rows = writes.map((write) => this.#rowOf(write, now));
    await this.#write({ kind: "setMany", store, now, rows });
    return rows.map(({ etag }) => etag);
  }

  async #delete(store: number, key: string, { ifMatch }: Condition): Promise<DeleteOutcome> {
    const changed = await this.#write({ kind: "delete", store, now: this.#now(), key, ifMatch });
    if (changed === 0 && ifMatch !== undefined) return { kind: "conflict" };
    return { kind: "deleted", existed: changed > 0 };
  }

  #scan(store: number, { prefix, after = "", limit }: EngineScan): readonly EngineEntry[] {
    const from = compareKeys(after, prefix) > 0 ? after : prefix;
    const end = prefixEnd(prefix);
    const rows = this.#open().scan({ store, from, after, end, now: this.#now(), limit });
    return rows.map((row) => this.#parse(row));
  }

  #rowOf({ key, value, version, expiry }: EngineWrite, now: number): WriteRow {
    const expiresAt =
      typeof expiry === "number" ? Math.ceil(now + expiry) : expiry === "keep" ? "keep" : null;
    return { key, value: JSON.stringify(value), etag: this.#nextEtag(), version, expiresAt };
  }

  #entryOf(row: StoredRow | undefined): EngineEntry | undefined {
    return row === undefined ? undefined : this.#parse(row);
  }

  #parse([key, text, etag, version]: StoredRow): EngineEntry {
    try {
      const value: unknown = JSON.parse(text);
      return { key, value, etag, version };
    } catch (cause) {
      throw sqliteErrors.SQLITE_FILE_CORRUPT(
        `The database file ${this.#file} holds a value that is no JSON, at key ` +
          `${JSON.stringify(key.slice(0, 80))}; restore it from a backup.`,
        { details: { file: this.#file }, cause },
      );
    }
  }

  #write(command: WriteCommand): Awaitable<number> {
    return this.#open().write(command);
  }

  #now(): number {
    return this.#clock.nowMs();
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
      const command = { kind: "sweep", now: this.#now(), limit: SWEEP_ROWS_MAX } as const;
      const swept = await this.#connection.write(command);
      if (swept === SWEEP_ROWS_MAX) pauseMs = Math.min(SWEEP_SOON_MS, pauseMs);
    } catch (error) {
      this.#log.warn("expired entries could not be removed", { file: this.#file, error });
    }
    if (this.#closing === undefined) this.#cancelSweep = this.#sweepIn(pauseMs);
  }

  #open(): SqliteConnection {
    this.#assertOpen();
    return this.#connection;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError(ENGINE_NAME);
  }
}
