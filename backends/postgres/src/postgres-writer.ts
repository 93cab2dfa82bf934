/**
 * The connection that writes, one transaction after the other, each in two flights: begin and lock,
 * then changes and commit, sent without waiting in between.
 *
 * What it owns: the connection. What may interrupt it: its end.
 */

import type { Client, QueryResult } from "pg";
import { TableFailure } from "@banyan/state/internal";
import type {
  StandingRow,
  TableChanges,
  TableKey,
  TableLetter,
  TableRow,
  TableWriter,
} from "@banyan/state/internal";
import type { OwnedClient } from "./postgres-connection.ts";
import { isAnswer, statementFailure } from "./postgres-failure.ts";
import type { PostgresSql, Statement } from "./postgres-sql.ts";

const STATEMENT_TEXT_MAX = 4 * 1024 * 1024; // characters of one statement's list

export class PostgresWriter implements TableWriter {
  readonly #owned: OwnedClient;
  readonly #sql: PostgresSql;
  #isUsable = true;

  constructor(owned: OwnedClient, sql: PostgresSql) {
    this.#owned = owned;
    this.#sql = sql;
    owned.client.once("end", () => {
      this.#isUsable = false;
    });
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  async lock(keys: readonly TableKey[]): Promise<readonly StandingRow[]> {
    const { client } = this.#owned;
    try {
      const list = JSON.stringify(keys.map(({ store, key }) => ({ s: store, k: key })));
      const [, { rows }] = await Promise.all([
        client.query("BEGIN"),
        this.#run<readonly unknown[]>(this.#sql.lock, [list]),
      ]);
      return rows.map(standingOf);
    } catch (error) {
      throw await this.#rolledBack(error);
    }
  }

  async commit(changes: TableChanges): Promise<"committed" | "raced"> {
    const { inserts, updates, deletes, letters } = changes;
    const sql = this.#sql;
    const flight: Promise<QueryResult>[] = [];
    if (deletes.length > 0) {
      flight.push(this.#run(sql.delete, [JSON.stringify(deletes.map(listedKey))]));
    }
    for (const list of listsOf(updates)) flight.push(this.#run(sql.update, [list]));
    for (const list of listsOf(inserts)) flight.push(this.#run(sql.insert, [list]));
    for (const list of lettersOf(letters)) flight.push(this.#run(sql.addLetters, [list]));
    flight.push(this.#owned.client.query("COMMIT"));
    const ends = await Promise.allSettled(flight);
    // The first one is the reason, the others only say that the transaction is over.
    const failed = ends.find((end) => end.status === "rejected");
    if (failed === undefined) {
      const last = ends.at(-1);
      if (last?.status === "fulfilled" && last.value.command === "COMMIT") return "committed";
      throw new TableFailure("refused", "the transaction was rolled back");
    }
    const failure = statementFailure(failed.reason);
    if (failure instanceof TableFailure && failure.kind === "raced") return "raced";
    throw failure;
  }

  async undo(): Promise<void> {
    try {
      await this.#owned.client.query("ROLLBACK");
    } catch (error) {
      throw statementFailure(error);
    }
  }

  destroy(): void {
    this.#isUsable = false;
    this.#owned.destroy();
  }

  /** The failure, once nothing of the transaction is left. */
  async #rolledBack(error: unknown): Promise<unknown> {
    if (!isAnswer(error)) return statementFailure(error);
    try {
      await this.#owned.client.query("ROLLBACK");
    } catch (lost) {
      return statementFailure(lost);
    }
    return statementFailure(error);
  }

  #run<R extends readonly unknown[]>(
    { name, text }: Statement,
    values: readonly unknown[],
  ): Promise<QueryResult<R>> {
    return run<R>(this.#owned.client, { name, text }, values);
  }
}

/** Rows as arrays: half of the work for driver and reader. */
export async function run<R extends readonly unknown[]>(
  client: Pick<Client, "query">,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<QueryResult<R>> {
  // The driver's types know arrays by another call only; what it answers is the same.
  const result: unknown = await client.query({ name, text, values: [...values], rowMode: "array" });
  // The caller says which columns its text selects.
  return result as QueryResult<R>;
}

function listedKey({ store, key }: TableKey): object {
  return { s: store, k: key };
}

function* listsOf(rows: readonly TableRow[]): Generator<string> {
  yield* jsonLists(rows, ({ value }) => value.length, listedRow);
}

function* lettersOf(letters: readonly TableLetter[]): Generator<string> {
  let n = 0;
  yield* jsonLists(
    letters,
    ({ load }) => load.length,
    ({ load, by, heldUntil }) => ({ n: (n += 1), l: load, b: by, u: heldUntil }),
  );
}

/** As JSON lists, none much larger than it should be. */
function* jsonLists<T>(
  rows: readonly T[],
  sizeOf: (row: T) => number,
  listed: (row: T) => object,
): Generator<string> {
  let list: object[] = [];
  let text = 0;
  for (const row of rows) {
    const size = sizeOf(row);
    if (list.length > 0 && text + size > STATEMENT_TEXT_MAX) {
      yield JSON.stringify(list);
      list = [];
      text = 0;
    }
    text += size;
    list.push(listed(row));
  }
  if (list.length > 0) yield JSON.stringify(list);
}

function listedRow(row: TableRow): object {
  return {
    s: row.store,
    k: row.key,
    v: row.value,
    e: row.etag,
    n: row.version,
    x: row.expiresAt,
    r: row.revision,
    c: row.createdAt,
    u: row.updatedAt,
  };
}

type StandingColumns = readonly [
  store: number,
  key: string,
  etag: string,
  expiresAt: number | null,
  revision: number | null,
  createdAt: number | null,
  updatedAt: number | null,
];

function standingOf(columns: readonly unknown[]): StandingRow {
  // The types are the table's, by the driver's parsers of int4, text and float8.
  const [store, key, etag, expiresAt, revision, createdAt, updatedAt] = columns as StandingColumns;
  return { store, key, etag, expiresAt, revision, createdAt, updatedAt };
}

export function rowOf(columns: readonly unknown[]): TableRow {
  // As above; value and version stand behind.
  const [, , , , , , , value, version] = columns as readonly [
    ...StandingColumns,
    value: string,
    version: number,
  ];
  return { ...standingOf(columns), value, version };
}
