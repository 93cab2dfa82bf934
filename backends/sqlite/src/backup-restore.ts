/**
 * Restores a backup into a data directory, under its lock, so no node runs on it.
 *
 * R1. Nothing of the directory is touched before the whole backup is verified and copied.
 * R2. A kill at any moment leaves the old data or the new: see `backup-settle.ts`.
 * R3. What is replaced is kept aside. The admin token and the lock are the directory's own.
 */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isBanyanError } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import { verifyBackup } from "./backup-check.ts";
import { backupErrors, reasonOf } from "./backup-errors.ts";
import type { BackupManifest, ManifestFile } from "./backup-manifest.ts";
import {
  discardStaged,
  filesOf,
  newFilesFolder,
  planFile,
  readyFolder,
  settleRestore,
  stagedFolder,
  syncFolder,
} from "./backup-settle.ts";
import type { RestorePlan } from "./backup-settle.ts";
import { openDataDirectory } from "./data-directory.ts";
import type { DataDirectory } from "./data-directory.ts";

export interface RestoreOptions {
  /** Folder of the backup. */
  readonly folder: string;
  /** Where to; made when it is not there. */
  readonly dataDirectory: string;
  /** Replace data that is there; it is moved into `replaced-<time>` of the directory. */
  readonly force: boolean;
  readonly clock: Clock;
}

export interface RestoreReport {
  readonly manifest: BackupManifest;
  /** Folder with what was replaced; `undefined` when nothing was. */
  readonly replaced: string | undefined;
}

/**
 * @throws BACKUP_NOT_FOUND, BACKUP_NEWER, BACKUP_UNSOUND, RESTORE_TARGET_HOLDS_DATA,
 *   RESTORE_FAILED, DATA_DIRECTORY_LOCKED with the owner's pid
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { folder, dataDirectory } = options;
  await using held = new AsyncDisposableStack();
  const open = async (): Promise<DataDirectory> => held.use(await openDataDirectory(dataDirectory));
  // A node that runs there is told at once; a directory is not made for a backup that is none.
  const found = existsSync(dataDirectory) ? await open() : undefined;
  const manifest = await verifyBackup(folder);
  return await restoreInto(found ?? (await open()), manifest, options);
}

async function restoreInto(
  directory: DataDirectory,
  manifest: BackupManifest,
  { folder, force, clock }: RestoreOptions,
): Promise<RestoreReport> {
  const paths = manifest.files.map(({ path }) => path);
  const old = paths.flatMap((path) => filesOf(directory.path, path));
  if (old.length > 0 && !force) {
    throw backupErrors.RESTORE_TARGET_HOLDS_DATA(
      `The data directory ${directory.path} holds data already: ${old.join(", ")}.`,
      {
        details: {
          where: directory.path,
          fix: "Restore into another one (--data-dir), or add --force, which keeps these aside.",
        },
      },
    );
  }
  const plan: RestorePlan = { files: paths, replaced: `replaced-${fileTime(clock.nowMs())}` };
  try {
    await stage(folder, directory.path, { manifest, plan });
  } catch (error) {
    discardStaged(directory.path);
    if (isBanyanError(error)) throw error;
    throw backupErrors.RESTORE_FAILED(
      `The backup could not be copied into ${directory.path}: ${reasonOf(error)}.`,
      {
        details: { where: directory.path, fix: "Mend that and try again; nothing was changed." },
        cause: error,
      },
    );
  }
  renameSync(directory.join(stagedFolder), directory.join(readyFolder));
  syncFolder(directory.path);
  settleRestore(directory.path);
  return { manifest, replaced: old.length === 0 ? undefined : directory.join(plan.replaced) };
}

interface Staging {
  readonly manifest: BackupManifest;
  readonly plan: RestorePlan;
}

/** Fills the staged folder with the new files and the plan; all of it is on disk at the end. */
async function stage(folder: string, directory: string, staging: Staging): Promise<void> {
  discardStaged(directory);
  const staged = join(directory, stagedFolder);
  mkdirSync(join(staged, newFilesFolder), { recursive: true, mode: 0o700 });
  for (const file of staging.manifest.files) {
    await copyChecked(join(folder, file.path), join(staged, newFilesFolder, file.path), file);
  }
  const plan = await open(join(staged, planFile), "wx", 0o600);
  try {
    await plan.writeFile(JSON.stringify(staging.plan));
    await plan.sync();
  } finally {
    await plan.close();
  }
  syncFolder(join(staged, newFilesFolder));
  syncFolder(staged);
}

/** Copies, and compares what was read with the manifest: it may have changed meanwhile. */
async function copyChecked(from: string, to: string, file: ManifestFile): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const hash = createHash("sha256");
  const target = await open(to, "wx", 0o600);
  try {
    for await (const chunk of createReadStream(from, { highWaterMark: 1_048_576 })) {
      const bytes = chunk as Buffer; // a stream without an encoding gives buffers
      hash.update(bytes);
      await target.writeFile(bytes);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  syncFolder(dirname(to));
  if (hash.digest("hex") === file.sha256) return;
  throw backupErrors.BACKUP_UNSOUND(`${from} has changed while it was restored.`, {
    details: { fix: "Keep everybody from the backup's folder, and try again." },
  });
}

/** `20261121T024500123Z`: sorts by time, and every file system takes it. */
function fileTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:.]/g, "");
}
