/**
 * What the engine on a table needs of a database: a table of rows by store and key, reads, and one
 * connection that writes. A backend is this much and no more; conditions, revisions, expiry, order
 * and outcomes are decided above it, in one place for every database.
 *
 * D1. Keys are compared as the bytes of their UTF-8, and ordered so.
 * D2. Between `lock` and `commit` or `undo` nobody else changes a row that was answered, and a row
 *     that was not there is inserted by one of those who try.
 *     What rejects but for "lost" has been rolled back, and the connection is ready for the next.
 * D3. What a method throws is a `TableFailure`, or an error of the house with a name of its own.
 * D4. After `commit` resolved with "committed" the rows are as safe as the server makes them.
 */

import type { Etag } from "@banyan/kernel";
import type { OutboxRow, OutboxStatus } from "../engine.ts";

/** Names one row. */
export interface TableKey {
  /** The store's number, as `openStore` answered it. */
  readonly store: number;
  readonly key: string;
}

/** A row without its value: what a condition is held against. */
export interface StandingRow extends TableKey {
  readonly etag: Etag;
  /** Wall clock in ms; `null` without a time to live. */
  readonly expiresAt: number | null;
  /** `null` where the store never asked for revisions. */
  readonly revision: number | null;
  readonly createdAt: number | null;
  readonly updatedAt: number | null;
}

export interface TableRow extends StandingRow {
  /** JSON. */
  readonly value: string;
  readonly version: number;
}

/** A row of the outbox, to be inserted; who holds it until when is known from its commit on. */
export interface TableLetter {
  readonly load: string;
  readonly by: string;
  /** Wall clock in ms. */
  readonly heldUntil: number;
}

/** What becomes of rows; each key once. */
export interface TableChanges {
  /** Were not there; if one is by now, all of it is undone ("raced"). */
  readonly inserts: readonly TableRow[];
  /** Were there, and are locked. */
  readonly updates: readonly TableRow[];
  /** Were there, and are locked. */
  readonly deletes: readonly TableKey[];
  /** New rows of the outbox, numbered in this order. */
  readonly letters: readonly TableLetter[];
}

export interface TableScan {
  readonly store: number;
  /** The least key, included; `""` from the start. */
  readonly from: string;
  /** Left out, and all before it; `""` for none. */
  readonly after: string;
  /** Excluded; `undefined` to the end. */
  readonly end: string | undefined;
  /** Rows that expired by then are left out. */
  readonly now: number;
  readonly limit: number;
}

/** The connection that writes, by one group after the other. */
export interface TableWriter {
  /** False once it was lost or destroyed. */
  readonly isUsable: boolean;
  /** Begins a transaction and locks what is there of these rows. */
  lock(keys: readonly TableKey[]): Promise<readonly StandingRow[]>;
  /** "raced": another node came in between; nothing was changed. */
  commit(changes: TableChanges): Promise<"committed" | "raced">;
  /** Ends a transaction that changes nothing. */
  undo(): Promise<void>;
  /** At once, whatever is under way: that rejects as lost. */
  destroy(): void;
}

/**
 * The table of the outbox, in the order of its numbers.
 *
 * D5. Rows that a claim answers are locked from the look at them to their new holder's name, so two
 *     claims at a time share none, and neither waits for the other.
 */
export interface TableOutboxRows {
  /** Those that `by` holds, or nobody after `now`; the first `limit` of them. */
  claim(claim: {
    readonly by: string;
    readonly now: number;
    readonly heldUntil: number;
    readonly limit: number;
  }): Promise<readonly OutboxRow[]>;
  remove(ids: readonly string[]): Promise<void>;
  release(by: string): Promise<void>;
  setAside(id: string, reason: string): Promise<void>;
  status(): Promise<OutboxStatus>;
}

export interface TableDatabase {
  /** For messages: host, port and database; no user, no password. */
  readonly place: string;
  /** Most bytes of JSON in one value that the server takes. */
  readonly valueBytesMax: number;
  readonly outbox: TableOutboxRows;
  /** The store's number; made when it is not there. */
  openStore(scope: string, name: string): Promise<number>;
  /** Those that are there, expired or not, in any order. */
  read(keys: readonly TableKey[]): Promise<readonly TableRow[]>;
  /** In the order of the keys. */
  scan(scan: TableScan): Promise<readonly TableRow[]>;
  /** How many rows of the store there are that have not expired by then. */
  count(store: number, now: number): Promise<number>;
  /** Removes up to `limit` rows that have expired by then; answers how many. */
  sweep(now: number, limit: number): Promise<number>;
  /** The server's wall clock, in ms. */
  nowMs(): Promise<number>;
  /** Rejects when the server does not answer, or takes no writes. */
  check(): Promise<void>;
  connectWriter(): Promise<TableWriter>;
  /** Lets go of every connection that is idle, and of those in use when they are done. */
  close(): Promise<void>;
}

/**
 * `lost`: the connection ended, or was ended because the time was over. `down`: there was none to
 * be had. `raced`: the transaction lost to another node's and was rolled back. `refused`: the
 * server answered that it will not, whatever is asked; nothing was done. `invalid`: the same, but
 * the reason is in what was to be written, so that other writes may well succeed.
 */
export type TableFailureKind = "lost" | "down" | "raced" | "refused" | "invalid";

/** Why a database did not do what it was asked. Never leaves an engine: it is a cause. */
export class TableFailure extends Error {
  readonly kind: TableFailureKind;

  constructor(kind: TableFailureKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "TableFailure";
    this.kind = kind;
  }
}

export function isFailure(error: unknown, kind: TableFailureKind): boolean {
  return error instanceof TableFailure && error.kind === kind;
}
