/**
 * The connection that writes, one transaction after the other, each in two flights: begin and lock,
 * then changes and commit.
 *
 * What it owns: the connection. What may interrupt it: its end.
 */

import { isFailure } from "@banyan/state/internal";
import type {
  StandingRow,
  TableChanges,
  TableKey,
  TableRow,
  TableWriter,
} from "@banyan/state/internal";
import type { Columns, MysqlConnection } from "./mysql-connection.ts";
import type { MysqlSql } from "./mysql-sql.ts";

export class MysqlWriter implements TableWriter {
  readonly #connection: MysqlConnection;
  readonly #sql: MysqlSql;
  readonly #flightBytesMax: number;

  constructor(connection: MysqlConnection, sql: MysqlSql, flightBytesMax: number) {
    this.#connection = connection;
    this.#sql = sql;
    this.#flightBytesMax = flightBytesMax;
  }

  get isUsable(): boolean {
    return this.#connection.isUsable;
  }

  async lock(keys: readonly TableKey[]): Promise<readonly StandingRow[]> {
    try {
      if (keys.length === 0) {
        await this.#connection.query("START TRANSACTION");
        return [];
      }
      const flight = `START TRANSACTION;${this.#sql.lock(keys)}`;
      const results: unknown = await this.#connection.query(flight);
      // Two statements answer with two results, the second one with its rows.
      const [, rows] = results as readonly [unknown, readonly Columns[]];
      return rows.map(standingOf);
    } catch (error) {
      throw await this.#rolledBack(error);
    }
  }

  async commit(changes: TableChanges): Promise<"committed" | "raced"> {
    try {
      let flight = "";
      for (const statement of this.#statementsOf(changes)) {
        if (flight.length > 0 && byteLength(flight, statement) > this.#flightBytesMax) {
          await this.#connection.query(flight);
          flight = "";
        }
        flight += `${statement};`;
      }
      await this.#connection.query(`${flight}COMMIT`);
      return "committed";
    } catch (error) {
      // A statement that fails ends its flight, so the commit behind it was not done.
      const failure = await this.#rolledBack(error);
      if (isFailure(failure, "raced")) return "raced";
      throw failure;
    }
  }

  async undo(): Promise<void> {
    await this.#connection.query("ROLLBACK");
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** The failure, once nothing of the transaction is left. */
  async #rolledBack(error: unknown): Promise<unknown> {
    if (isFailure(error, "lost")) return error;
    try {
      await this.#connection.query("ROLLBACK");
      return error;
    } catch (lost) {
      return lost;
    }
  }

  *#statementsOf({ inserts, updates, deletes, letters }: TableChanges): Generator<string> {
    const { insertHead, updateTail, lettersHead } = this.#sql;
    if (deletes.length > 0) yield this.#sql.delete(deletes);
    const { row, letter } = this.#sql;
    for (const list of this.#listsOf(updates.toSorted(byKey).map(row))) {
      yield `${insertHead}${list}${updateTail}`;
    }
    for (const list of this.#listsOf(inserts.toSorted(byKey).map(row))) {
      yield `${insertHead}${list}`;
    }
    for (const list of this.#listsOf(letters.map(letter))) yield `${lettersHead}${list}`;
  }

  /** Lists of rows of SQL, none more than a flight takes. */
  *#listsOf(texts: readonly string[]): Generator<string> {
    let list: string[] = [];
    let bytes = 0;
    for (const text of texts) {
      const size = Buffer.byteLength(text) + 1;
      if (list.length > 0 && bytes + size > this.#flightBytesMax / 2) {
        yield list.join();
        list = [];
        bytes = 0;
      }
      list.push(text);
      bytes += size;
    }
    if (list.length > 0) yield list.join();
  }
}

/** In the order in which rows are locked; that of the bytes matters little among new ones. */
function byKey(a: TableKey, b: TableKey): number {
  if (a.store !== b.store) return a.store - b.store;
  return a.key < b.key ? -1 : Number(a.key > b.key);
}

function byteLength(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

type StandingColumns = readonly [
  store: number,
  key: Buffer,
  etag: string,
  expiresAt: number | null,
  revision: number | null,
  createdAt: number | null,
  updatedAt: number | null,
];

function standingOf(columns: Columns): StandingRow {
  // The types are the table's, by the driver.
  const [store, key, etag, expiresAt, revision, createdAt, updatedAt] = columns as StandingColumns;
  return { store, key: key.toString(), etag, expiresAt, revision, createdAt, updatedAt };
}

/** A row with its value, as it is read. */
export function rowOf(columns: Columns): TableRow {
  // As above; value and version stand behind.
  const [, , , , , , , value, version] = columns as readonly [
    ...StandingColumns,
    value: string,
    version: number,
  ];
  return { ...standingOf(columns), value, version };
}
