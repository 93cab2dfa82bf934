/** Writes as data: what is insisted on and what is changed, for whichever method was called. */

import type { Etag } from "@banyan/kernel";
import type { TableKey, TableLetter } from "./table-database.ts";

/** What must stand when the write takes effect: `undefined` for nothing. */
export interface TableCheck extends TableKey {
  readonly etag: Etag | undefined;
}

export interface TableSet extends TableKey {
  readonly kind: "set";
  /** JSON. */
  readonly value: string;
  readonly etag: Etag;
  readonly version: number;
  /** Wall clock in ms, `null` for never, or as it stands. */
  readonly expiresAt: number | null | "keep";
  /** Whether the store keeps revisions. */
  readonly isRevised: boolean;
}

export interface TableDelete extends TableKey {
  readonly kind: "delete";
}

export type TableChange = TableSet | TableDelete;

/** One write of a caller: all of it or none. */
export interface TableOp {
  /** Wall clock of its hand-over, by which entries are alive or not. */
  readonly now: number;
  readonly checks: readonly TableCheck[];
  /** Each key once. */
  readonly changes: readonly TableChange[];
  /** What it leaves in the outbox. */
  readonly letters?: readonly TableLetter[];
}

/** `existed`: how many of the changed keys were there before. */
export type TableOutcome =
  | { readonly kind: "done"; readonly existed: number }
  | { readonly kind: "conflict" };
