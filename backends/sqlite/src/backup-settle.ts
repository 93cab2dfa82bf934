/**
 * The last part of a restore: what is complete and waiting in `restore-ready` goes into its place.
 *
 * A restore replaces several files (a database and its log), and no file system does that in one
 * step. So the new files are first made complete in a folder of their own, and renaming that folder
 * to `restore-ready` is the one step that decides: before it the old data counts, after it the new.
 * Whoever opens the data directory next finishes what a kill interrupted, before anything is read.
 *
 * S1. Every step may be taken again after a kill between any two.
 * S2. An old file is moved aside, never deleted, and always with its log.
 */

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** Being filled; means nothing yet. */
export const stagedFolder = "restore-staged";
/** Complete: it will be put in place. */
export const readyFolder = "restore-ready";
/** Inside: the new files, under their paths. */
export const newFilesFolder = "files";
/** Inside: a `RestorePlan` as JSON. */
export const planFile = "plan.json";

export interface RestorePlan {
  /** Paths below the data directory. */
  readonly files: readonly string[];
  /** Folder of the data directory for what they replace. */
  readonly replaced: string;
}

/** What SQLite may keep beside a database; all of it belongs to the one file. */
const companions = ["-wal", "-shm", "-journal", ""];

/** A file and what SQLite keeps beside it, the file itself last; only those that are there. */
export function filesOf(directory: string, path: string): string[] {
  return companions
    .map((end) => `${path}${end}`)
    .filter((each) => existsSync(join(directory, each)));
}

/**
 * Puts in place what a restore left ready. The caller holds the directory's lock.
 * @throws what the file system says
 */
export function settleRestore(directory: string): void {
  const ready = join(directory, readyFolder);
  if (!existsSync(ready)) return;
  // Our own file, complete before the folder got its name.
  const plan = JSON.parse(readFileSync(join(ready, planFile), "utf8")) as RestorePlan;
  const aside = join(directory, plan.replaced);
  for (const path of plan.files) {
    const staged = join(ready, newFilesFolder, path);
    if (!existsSync(staged)) continue; // in place already, before a kill
    const place = join(directory, path);
    for (const old of filesOf(directory, path)) {
      mkdirSync(dirname(join(aside, old)), { recursive: true, mode: 0o700 });
      renameSync(join(directory, old), join(aside, old));
      syncFolder(dirname(join(aside, old)));
    }
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    renameSync(staged, place);
    syncFolder(dirname(place));
  }
  discardStaged(directory);
  // In one step, since half of this folder would be an order that nobody can carry out.
  renameSync(ready, join(directory, stagedFolder));
  syncFolder(directory);
  discardStaged(directory);
}

/** Removes what a restore had not finished filling. */
export function discardStaged(directory: string): void {
  rmSync(join(directory, stagedFolder), { recursive: true, force: true });
}

/** Makes renames in a folder survive a power cut. */
export function syncFolder(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch {
    return; // Windows opens no folders; its file system keeps renames in order by itself.
  }
  try {
    fsyncSync(folder);
  } catch {
    // Some file systems cannot; what they keep in order is all there is.
  } finally {
    closeSync(folder);
  }
}
