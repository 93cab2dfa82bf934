/**
 * What the functions behind write ops are given. They run in the writer thread, each inside a
 * transaction that the thread begins and ends, and import no platform code.
 *
 * O1. An op that throws is rolled back whole, with whatever it wrote; it needs no savepoint.
 * O2. An op that answers is committed, alone or with others: one that decides against itself says
 *     so by its answer before it writes.
 */

import type { SqlRow, SqlValue } from "./sql-value.ts";

export interface OpContext {
  /** Runs a statement, prepared once per text; answers how many rows it changed. */
  run(sql: string, ...values: readonly SqlValue[]): number;
  /** First row as an array. */
  get(sql: string, ...values: readonly SqlValue[]): SqlRow | undefined;
  all(sql: string, ...values: readonly SqlValue[]): SqlRow[];
  /** Does another op as a part of this one. */
  do(op: OpShape): unknown;
}

/** An op: the name of its function, then plain values (texts, numbers, null, lists of them). */
export type OpShape = readonly [name: string, ...values: readonly unknown[]];

/** One function for each op of a union; what it answers goes back to who wrote. */
export type OpTable<Op extends OpShape> = {
  readonly [Name in Op[0]]: (
    context: OpContext,
    op: Extract<Op, readonly [Name, ...unknown[]]>,
  ) => unknown;
};
