/**
 * What goes between a file and its threads: plain data both ways. The threads know no error of the
 * platform; they answer what SQLite said, and the file makes a named error of it.
 */

import type { SqlRow, SqlValue } from "./sql-value.ts";
import type { WriteOp } from "./write-op.ts";

/** How a thread is started. */
export interface ThreadStart {
  readonly role: "writer" | "reader";
  readonly path: string;
  /** Device and inode of the file that was opened: nothing else is written. */
  readonly identity: string;
  readonly busyTimeoutMs: number;
}

/** A group of writes, in order. */
export type WriteGroup = readonly WriteOp[];

/** How one write of a group failed. */
export interface WriteFailure {
  /** Its place in the group. */
  readonly at: number;
  /** SQLite's extended result code; 0 for what is none of SQLite's. */
  readonly errcode: number;
  readonly message: string;
  /**
   * `moved`: the path leads elsewhere. `unknown`: whether it was written cannot be told. `stopped`:
   * it was not even tried, after one of those.
   */
  readonly why: "failed" | "moved" | "unknown" | "stopped";
}

export interface WriteAnswers {
  /** One for each write of the group; those of failures mean nothing. */
  readonly answers: readonly unknown[];
  readonly failures: readonly WriteFailure[];
  /** Commits that the group took: 1 unless something failed. */
  readonly commits: number;
  /** How long they took, without the writes themselves: what the disk costs. */
  readonly commitMs: number;
}

/** What a reader thread is asked for, one thing at a time. */
export type ReadRequest =
  | { readonly kind: "all"; readonly sql: string; readonly values: readonly SqlValue[] }
  | { readonly kind: "backup"; readonly temporary: string; readonly file: string };

export type ReadAnswer =
  | { readonly kind: "rows"; readonly rows: readonly SqlRow[] }
  | { readonly kind: "written" }
  | { readonly kind: "failed"; readonly errcode: number; readonly message: string };
