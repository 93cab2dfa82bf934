/**
 * A copy of everything a node keeps, while it works on.
 *
 * What it owns: the folder it writes, until the copy is complete.
 * What may interrupt it: its signal, a full disk, the end of the process.
 *
 * I1. A folder is a backup when its `manifest.json` is there: that is written last, when all the
 *     files it lists are on disk with the sizes and checksums it gives.
 * I2. A backup that failed leaves nothing of its own behind.
 * I3. Nothing that was there before is written over.
 * I4. Its files are the owner's alone, as the data directory's are.
 */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, realpathSync } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Clock, Static } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import { hostErrors } from "./errors.ts";
import type { backupManifest } from "./node-service/backup-operations.ts";

/** What `manifest.json` holds. */
export type BackupManifest = Static<typeof backupManifest>;

/** Something that can be copied: an engine, or a bus on a medium of its own. */
export interface BackupSource {
  readonly name: string;
  readonly durability?: "durable" | "ephemeral" | undefined;
  readonly medium?: object | undefined;
  backup?(
    folder: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly { readonly path: string }[]>;
}

export interface BackupOptions {
  /** Absolute path of a folder that is empty or does not exist. */
  readonly to: string;
  /** The data directory that is copied, which is no place for its copy. */
  readonly directory?: string | undefined;
  readonly sources: readonly BackupSource[];
  /** Id of the node that is copied; left out where none runs. */
  readonly node?: string | undefined;
  /** Of the platform. */
  readonly version: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Written last: a folder that has it is a backup. */
const manifestFile = "manifest.json";

/** @throws NODE_BACKUP_REFUSED, NODE_BACKUP_FAILED, and why the signal was aborted */
export async function createBackup(options: BackupOptions): Promise<BackupManifest> {
  const { to, signal } = options;
  const sources = sourcesOf(options);
  assertElsewhere(options);
  const made = await prepareFolder(to);
  try {
    return await writeBackup(options, sources);
  } catch (error) {
    await removeBackup(to, made);
    signal?.throwIfAborted();
    if (isBanyanError(error)) throw error;
    throw hostErrors.NODE_BACKUP_FAILED(
      `The backup ${to} could not be finished: ${reasonOf(error)}. What there was of it is removed.`,
      { cause: error, details: { folder: to } },
    );
  }
}

function assertElsewhere({ to, directory }: BackupOptions): void {
  if (directory === undefined || realPath(to) !== realPath(directory)) return;
  throw hostErrors.NODE_BACKUP_REFUSED(
    `The folder ${to} is the data directory itself; name another, on another disk at best.`,
    { details: { folder: to } },
  );
}

/** As two ways to one folder are compared; what is not there has only its name. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}

/** Each medium once; what keeps nothing beyond the process has nothing to copy. */
function sourcesOf({ sources }: BackupOptions): readonly BackupSource[] {
  const seen = new Set<object>();
  const able = sources.filter((source) => {
    if (source.backup === undefined || seen.has(source.medium ?? source)) return false;
    seen.add(source.medium ?? source);
    return true;
  });
  if (able.length > 0) return able;
  throw hostErrors.NODE_BACKUP_REFUSED(
    "There is nothing to copy: no engine of this node keeps files of its own.",
  );
}

/** What must survive and is kept elsewhere, as in a database server: to be told, not hidden. */
function notIncluded(all: readonly BackupSource[], copied: readonly BackupSource[]): string[] {
  const left = all.filter(
    ({ durability, backup, medium }) =>
      durability === "durable" &&
      backup === undefined &&
      !copied.some((each) => each.medium !== undefined && each.medium === medium),
  );
  return [...new Set(left.map(({ name }) => name))];
}

/** The folders that were made for it, innermost first. */
async function prepareFolder(to: string): Promise<readonly string[]> {
  if (!isAbsolute(to)) {
    throw hostErrors.NODE_BACKUP_REFUSED(
      `"${to}" is no absolute path; the node need not work in the folder that you do.`,
      { details: { folder: to } },
    );
  }
  const found = await readdir(to).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw cannotUse(to, error);
  });
  if (found !== undefined && found.length > 0) {
    throw hostErrors.NODE_BACKUP_REFUSED(
      `The folder ${to} is not empty; name one that is, or that does not exist yet.`,
      { details: { folder: to } },
    );
  }
  if (found !== undefined) return [];
  const made: string[] = [];
  try {
    await makeFolder(to, made);
  } catch (error) {
    await removeFolders(made);
    throw cannotUse(to, error);
  }
  return made;
}

/**
 * With those above it, one at a time: below a file system without files, such as `/proc`, Node's
 * recursive way never returns.
 */
async function makeFolder(path: string, made: string[]): Promise<void> {
  if (!existsSync(dirname(path))) await makeFolder(dirname(path), made);
  await mkdir(path, { mode: 0o700 });
  made.unshift(path);
}

async function writeBackup(
  options: BackupOptions,
  sources: readonly BackupSource[],
): Promise<BackupManifest> {
  const { to, node, version, clock, signal } = options;
  const createdAt = new Date(clock.nowMs()).toISOString();
  const startedMs = clock.monotonicMs();
  const files: BackupManifest["files"] = [];
  const left = notIncluded(options.sources, sources);
  for (const source of sources) {
    for (const { path } of (await source.backup?.(to, { signal })) ?? []) {
      if (files.some((file) => file.path === path)) throw new Error(`${path} was written twice`);
      signal?.throwIfAborted();
      await chmod(join(to, path), 0o600);
      files.push({ path, ...(await measure(join(to, path), signal)) });
    }
  }
  const manifest: BackupManifest = {
    format: 1,
    product: "banyan",
    version,
    ...(node === undefined ? {} : { node }),
    createdAt,
    durationMs: Math.round(clock.monotonicMs() - startedMs),
    files,
    ...(left.length === 0 ? {} : { notIncluded: left }),
  };
  await writeManifest(to, manifest);
  return manifest;
}

async function measure(
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  const { size } = await stat(path);
  return { bytes: size, sha256: hash.digest("hex") };
}

/** I1: under another name until it is whole and on disk. */
async function writeManifest(folder: string, manifest: BackupManifest): Promise<void> {
  const path = join(folder, manifestFile);
  const file = await open(`${path}.part`, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  await syncFolder(folder);
  await syncFolder(dirname(folder));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** I2. The folder was empty, so everything in it is ours. */
async function removeBackup(folder: string, made: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
  await removeFolders(made);
}

/** Somebody may have put something into one meanwhile: it stays, and so does what is above it. */
async function removeFolders(made: readonly string[]): Promise<void> {
  for (const path of made) {
    const isGone = await rmdir(path).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

function cannotUse(folder: string, cause: unknown): Error {
  return hostErrors.NODE_BACKUP_REFUSED(
    `The folder ${folder} cannot be used: ${reasonOf(cause)}.`,
    { cause, details: { folder } },
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
