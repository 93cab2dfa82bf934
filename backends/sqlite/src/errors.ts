/** What can go wrong with a file, by name, so that an operator knows what to do at night. */

import { defineErrors, isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";

export const sqliteErrors = defineErrors({
  SQLITE_FILE_CORRUPT: {
    kind: "data_loss",
    summary:
      "The database file is damaged or is no database. Stop the node, keep the file, restore a backup.",
  },
  SQLITE_FILE_UNUSABLE: {
    kind: "failed_precondition",
    summary:
      "The database file cannot be opened, or is no longer the file that was opened. Check the path, its permissions and who moved it.",
  },
  SQLITE_FILE_BUSY: {
    kind: "unavailable",
    summary: "Another program holds the database file. Close it, or try again later.",
  },
  SQLITE_DISK_FULL: {
    kind: "resource_exhausted",
    summary: "The disk of the database file is full. Nothing was written; make room and try again.",
  },
  SQLITE_READ_ONLY: {
    kind: "failed_precondition",
    summary: "The database file, its folder or its disk is read-only. Make it writable.",
  },
  SQLITE_SCHEMA_NEWER: {
    kind: "failed_precondition",
    summary: "The file was written by a newer version of this package. Run that version, or newer.",
  },
  SQLITE_FAILED: {
    kind: "unavailable",
    summary: "The database failed in a way that has no name of its own; the node's log has it.",
  },
  DATA_DIRECTORY_LOCKED: {
    kind: "failed_precondition",
    summary:
      "Another process owns the data directory; its pid is named. Stop it, or choose another directory.",
  },
  DATA_DIRECTORY_UNUSABLE: {
    kind: "failed_precondition",
    summary: "The data directory cannot be created or written. Check the path and its permissions.",
  },
});

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that have a name here. */
const named: ReadonlyMap<number, readonly [keyof typeof sqliteErrors, string]> = new Map([
  [5, ["SQLITE_FILE_BUSY", "is held by another program; close that, or try again"]],
  [6, ["SQLITE_FILE_BUSY", "is held by another program; close that, or try again"]],
  [8, ["SQLITE_READ_ONLY", "cannot be written: it, its folder or its disk is read-only"]],
  [11, ["SQLITE_FILE_CORRUPT", "is damaged; stop the node, keep the file, restore a backup"]],
  [13, ["SQLITE_DISK_FULL", "could not grow: the disk is full; nothing was written"]],
  [14, ["SQLITE_FILE_UNUSABLE", "cannot be opened; check the path and its permissions"]],
  [26, ["SQLITE_FILE_CORRUPT", "is not a database; move it away or choose another file"]],
]);

/** What the driver threw, as an error of ours. */
export function sqliteFailure(error: unknown, file: string): BanyanError {
  if (isBanyanError(error)) return error;
  // The extended code is in the upper bytes; the lowest byte says what it is about.
  const code = resultCodeOf(error) & 0xff;
  const [name, text] = named.get(code) ?? ["SQLITE_FAILED", "could not be used; see the log"];
  return sqliteErrors[name](`The database file ${file} ${text}.`, {
    details: { file, sqliteCode: code },
    cause: error,
  });
}

/** The extended result code; 0 for what did not come from SQLite. */
export function resultCodeOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return typeof error.errcode === "number" ? error.errcode : 0;
}
