/**
 * The data directory: one folder, one owner.
 *
 * The lock is an exclusive transaction on `lock.db` that is never finished: the operating system
 * holds it for the process and drops it when the process ends, however it ends. A pid file alone
 * would outlive a `kill -9`, and its pid may be somebody else's by then; here the pid is only told
 * to whoever is refused.
 *
 * Nothing else may ever open `lock.db`: where locks belong to the process (POSIX), closing any
 * handle of the file drops them.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { BanyanError } from "@banyan/kernel";
import { settleRestore } from "./backup-settle.ts";
import { sqliteErrors } from "./errors.ts";
import { resultCodeOf } from "./result-code.ts";

const LOCK_FILE = "lock.db";
const PID_FILE = "lock.pid";
const SQLITE_BUSY = 5;

export interface DataDirectory extends AsyncDisposable {
  /** Absolute. */
  readonly path: string;
  /** A path inside. */
  join(...parts: string[]): string;
  /** Lets go of the lock. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes the folder if needed (for the user alone: 0700) and takes its lock.
 *
 * @throws DATA_DIRECTORY_LOCKED with the owner's pid in `details`.
 * @throws DATA_DIRECTORY_UNUSABLE when it cannot be made or written.
 */
export function openDataDirectory(path: string): Promise<DataDirectory> {
  return Promise.try(() => lockDirectory(resolve(path)));
}

function lockDirectory(path: string): DataDirectory {
  const pidFile = join(path, PID_FILE);
  let lock: DatabaseSync | undefined;
  try {
    makeFolder(path);
    lock = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
    // Renamed into place: nobody reads half a number.
    writeFileSync(`${pidFile}.new`, `${process.pid}\n`);
    renameSync(`${pidFile}.new`, pidFile);
    settleRestore(path); // before anybody reads: a kill may have interrupted one
  } catch (error) {
    lock?.close();
    if ((resultCodeOf(error) & 0xff) === SQLITE_BUSY) throw lockedError(path, pidFile, error);
    throw sqliteErrors.DATA_DIRECTORY_UNUSABLE(
      `The data directory ${path} cannot be created or written; check the path, its permissions ` +
        `and the disk.`,
      { details: { path }, cause: error },
    );
  }
  return createDataDirectory(path, lock, pidFile);
}

/**
 * Makes the folder and those above it, one at a time: below a file system without files, such as
 * `/proc`, Node's recursive way never returns.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Somebody else was faster.
    if (!existsSync(path)) throw error;
  }
}

function createDataDirectory(path: string, lock: DatabaseSync, pidFile: string): DataDirectory {
  const close = (): Promise<void> => {
    if (lock.isOpen) {
      // The pid goes first: while the lock is held, the file is ours. Unless the folder was deleted
      // under us and has a new owner: then its pid file is not ours to remove.
      if (readPid(pidFile) === process.pid) rmSync(pidFile, { force: true });
      lock.close();
    }
    return Promise.resolve();
  };
  return {
    path,
    join: (...parts) => join(path, ...parts),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function lockedError(path: string, pidFile: string, cause: unknown): BanyanError {
  const pid = readPid(pidFile);
  const owner = pid === undefined ? "another process" : `the process with pid ${pid}`;
  return sqliteErrors.DATA_DIRECTORY_LOCKED(
    `The data directory ${path} belongs to ${owner}, which is running; stop it, or choose ` +
      `another directory (node.dataDir).`,
    { details: { path, ...(pid === undefined ? {} : { pid }) }, cause },
  );
}

/** The owner's pid; `undefined` in the moment before it is written. */
function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // The refusal stands either way; the pid is a courtesy.
  }
}
