/** Statements of one connection, prepared once per text. Rows come as arrays. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SqlRow, SqlValue } from "./sql-value.ts";

export class StatementCache {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** How many rows were changed. */
  run(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  get(sql: string, values: readonly SqlValue[]): SqlRow | undefined {
    // The driver types rows as records, and the prepared statement answers arrays.
    return this.#prepare(sql).get(...values) as unknown as SqlRow | undefined;
  }

  all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    // As above.
    return this.#prepare(sql).all(...values) as unknown as SqlRow[];
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    // A fifth to a third faster than objects.
    statement.setReturnArrays(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}
