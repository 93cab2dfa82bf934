/**
 * The store's table, used with `node:sqlite` itself: same columns, same index, same guarantees
 * (write-ahead log, `synchronous = FULL`), the same information with each value.
 */

import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { keyAt, recordAt } from "./records.ts";

const STORE = 1;

export class RawTable {
  readonly database: DatabaseSync;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  /** Etags as ours: never the same twice. */
  readonly #run = Math.random().toString(36).slice(2, 10);
  #writes = 0;

  constructor(path: string) {
    this.database = new DatabaseSync(path);
    this.database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    this.database.exec(
      `CREATE TABLE IF NOT EXISTS entries (
         store_id INTEGER NOT NULL,
         key TEXT NOT NULL,
         value TEXT NOT NULL,
         etag TEXT NOT NULL,
         version INTEGER NOT NULL,
         expires_at INTEGER,
         PRIMARY KEY (store_id, key)
       ) STRICT;
       CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at)
         WHERE expires_at IS NOT NULL`,
    );
    this.#get = this.database.prepare(
      `SELECT key, value, etag, version FROM entries
       WHERE store_id = ? AND key = ? AND (expires_at IS NULL OR expires_at > ?)`,
    );
    this.#get.setReturnArrays(true);
    this.#set = this.database.prepare(
      `INSERT INTO entries (store_id, key, value, etag, version, expires_at)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (store_id, key) DO UPDATE
       SET value = excluded.value, etag = excluded.etag, version = excluded.version,
           expires_at = excluded.expires_at`,
    );
  }

  /** The value of the type that the caller has put there. */
  get<V>(key: string): V | undefined {
    // Rows as arrays, by `setReturnArrays`; the driver's types know records only.
    const row = this.#get.get(STORE, key, Date.now()) as unknown as readonly string[] | undefined;
    return row === undefined ? undefined : (JSON.parse(row[1] ?? "") as V);
  }

  /** Inside whatever transaction is open; else in one of its own. */
  set(key: string, value: unknown): void {
    this.#writes += 1;
    const etag = `${this.#run}-${this.#writes.toString(36)}`;
    this.#set.run(STORE, key, JSON.stringify(value), etag, 1, null);
  }

  begin(): void {
    this.database.exec("BEGIN IMMEDIATE");
  }

  /** The log is on disk when it returns. */
  commit(): void {
    this.database.exec("COMMIT");
  }

  fill(count: number): void {
    this.begin();
    for (let index = 0; index < count; index += 1) this.set(keyAt(index), recordAt(index));
    this.commit();
  }
}

/** Events as rows of the same file, for what commits them with its own writes. */
export class RawEvents {
  readonly #append: StatementSync;

  constructor(database: DatabaseSync) {
    database.exec(
      `CREATE TABLE IF NOT EXISTS events (
         seq INTEGER PRIMARY KEY,
         id TEXT NOT NULL,
         topic TEXT NOT NULL,
         timestamp INTEGER NOT NULL,
         body TEXT NOT NULL,
         headers TEXT NOT NULL
       ) STRICT`,
    );
    this.#append = database.prepare(
      "INSERT INTO events (id, topic, timestamp, body, headers) VALUES (?, ?, ?, ?, ?)",
    );
  }

  append(topic: string, fields: object): void {
    const eventId = randomUUID();
    const now = Date.now();
    const body = { ...fields, eventId, timestamp: new Date(now).toISOString() };
    this.#append.run(eventId, topic, now, JSON.stringify(body), headers);
  }
}

const headers = JSON.stringify({ source: "bench", schemaVersion: "1" });
