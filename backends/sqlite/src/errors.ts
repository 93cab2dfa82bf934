/** What can go wrong with a file, by name, so that an operator knows what to do at night. */

import { defineErrors, isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { stateErrors } from "@banyan/state";
import { resultCodeOf } from "./result-code.ts";
import type { WriteFailure } from "./thread-messages.ts";

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
  SQLITE_OUTCOME_UNKNOWN: {
    kind: "unknown",
    summary:
      "Whether the write reached the disk is not known. Nothing is written any more: restart the node, then look.",
  },
  SQLITE_WRITER_STOPPED: {
    kind: "unavailable",
    retryable: false,
    summary:
      "After a failure whose outcome is not known nothing is written any more. See the log for the cause, check the disk, restart the node.",
  },
  SQLITE_WRITE_QUEUE_FULL: {
    kind: "resource_exhausted",
    summary:
      "Too many writes wait for the file. Nothing was written; the disk is slower than the callers, so try again later.",
  },
  SQLITE_BACKUP_FAILED: {
    kind: "unavailable",
    summary:
      "The copy of the database file could not be written. Check the backup's folder and its room; the database is not touched.",
  },
  SQLITE_BUS_OPEN: {
    kind: "failed_precondition",
    summary:
      "The bus of this file is open in this process already. Use that one, or give the second bus a file of its own.",
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

/**
 * SQLite's primary result codes of a write that was wrong in itself: ERROR, TOOBIG, CONSTRAINT,
 * MISMATCH, MISUSE, RANGE; 0 is what SQLite did not say.
 */
const wrongInItself: ReadonlySet<unknown> = new Set([0, 1, 18, 19, 20, 21, 25]);

/**
 * True when the file or what is below it was the reason that a write failed, so that another write
 * would have failed too: a full disk, a lock, a dead thread. False for what was wrong in itself.
 */
export function isMediumFailure(error: unknown): boolean {
  if (!isBanyanError(error)) return false;
  if (error.code !== "SQLITE_FAILED") return true;
  return !wrongInItself.has(error.details?.["sqliteCode"]);
}

/** What a thread said, as the driver would have thrown it. */
export function threadFailure(said: ThreadSaid, file: string): BanyanError {
  const { errcode, message } = said;
  return sqliteFailure(Object.assign(new Error(message), { errcode }), file);
}

interface ThreadSaid {
  readonly errcode: number;
  readonly message: string;
}

/** How a write failed, by name. */
export function writeFailure(failure: WriteFailure, file: string): BanyanError {
  switch (failure.why) {
    case "failed":
      return threadFailure(failure, file);
    case "moved":
      return movedError(file);
    case "unknown":
      return unknownError(file, threadFailure(failure, file));
    case "stopped":
      return stoppedError(file, undefined);
    default:
      return assertNever(failure.why);
  }
}

export function movedError(file: string): BanyanError {
  return sqliteErrors.SQLITE_FILE_UNUSABLE(
    `The database file ${file} or its log (${file}-wal) was moved, deleted or replaced while it ` +
      `was open; nothing is written any more. Stop the node and put the files back.`,
    { details: { file } },
  );
}

/** For a write that holds what no message to a thread can: a function, a promise. */
export function uncloneableError(op: string, file: string, cause: unknown): BanyanError {
  return sqliteErrors.SQLITE_FAILED(
    `A write (${op}) for the database file ${file} holds a value that is no plain data; give it ` +
      `texts, numbers and lists of them. Nothing was written.`,
    { details: { file, sqliteCode: 0 }, cause },
  );
}

export function unknownError(file: string, cause: unknown): BanyanError {
  return sqliteErrors.SQLITE_OUTCOME_UNKNOWN(
    `Whether the write to the database file ${file} reached the disk is not known; nothing is ` +
      `written any more. Check the disk, restart the node, and look before writing again.`,
    { details: { file }, cause },
  );
}

/** What a store's caller is told: the engine's own words, but for an outcome nobody knows. */
export function storeFailure(error: unknown): unknown {
  if (!isBanyanError(error, "SQLITE_OUTCOME_UNKNOWN")) return error;
  return stateErrors.STATE_OUTCOME_UNKNOWN(
    "Whether the write reached the disk is not known; read before you repeat it. The node's log " +
      "has the reason.",
    { cause: error },
  );
}

export function stoppedError(file: string, cause: unknown): BanyanError {
  return sqliteErrors.SQLITE_WRITER_STOPPED(
    `Nothing is written to the database file ${file} any more: an earlier write failed and its ` +
      `outcome is not known. Check the disk and restart the node.`,
    { details: { file }, cause },
  );
}

function assertNever(why: never): never {
  throw new TypeError(`Unknown ending ${String(why)}.`);
}
