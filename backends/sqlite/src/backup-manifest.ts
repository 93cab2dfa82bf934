/**
 * `manifest.json`: what a backup consists of. Whoever makes one (a node) writes it last, so a
 * folder without one is no backup, however much of it is there.
 *
 * The format is durable: what this version writes, later versions read.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { backupErrors, reasonOf } from "./backup-errors.ts";

/** The file that makes a folder a backup. */
export const manifestFile = "manifest.json";

/** The only format so far. */
export const manifestFormat = 1;

/** Whose backup it is: other programs write manifests too. */
export const manifestProduct = "banyan";

export interface ManifestFile {
  /** Below the backup's folder, with `/` between its parts. */
  readonly path: string;
  readonly bytes: number;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
}

export interface BackupManifest {
  readonly format: typeof manifestFormat;
  readonly product: typeof manifestProduct;
  /** Of the platform that wrote it. */
  readonly version: string;
  /** Id of the node that wrote it; `none` where it was made without one. */
  readonly node: string;
  /** ISO 8601, UTC: every write acknowledged before it is in the backup. */
  readonly createdAt: string;
  readonly durationMs: number;
  readonly files: readonly ManifestFile[];
}

/** @throws BACKUP_NOT_FOUND, BACKUP_NEWER, BACKUP_UNSOUND */
export async function readManifest(folder: string): Promise<BackupManifest> {
  const path = join(folder, manifestFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw backupErrors.BACKUP_NOT_FOUND(
      `${folder} is no backup: ${manifestFile} is not there or cannot be read.`,
      { details: { where: path, fix: "Name the folder of a backup that was finished." }, cause },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unsound(path, `it is not JSON: ${reasonOf(cause)}`);
  }
  return parseManifest(value, path);
}

/** `path` is for messages. @throws BACKUP_NEWER, BACKUP_UNSOUND */
export function parseManifest(value: unknown, path: string): BackupManifest {
  if (!isRecord(value)) throw unsound(path, "it is not an object");
  const { format, product, version, node, createdAt, durationMs, files } = value;
  if (product !== manifestProduct) throw unsound(path, "it is not of this platform");
  if (typeof format === "number" && format > manifestFormat) {
    throw backupErrors.BACKUP_NEWER(
      `The backup has format ${format}, this version knows ${manifestFormat}.`,
      { details: { where: path, fix: `Use version ${String(version)} or newer.` } },
    );
  }
  if (format !== manifestFormat) throw unsound(path, `its format is ${JSON.stringify(format)}`);
  if (typeof version !== "string") throw unsound(path, "it has no version");
  if (typeof createdAt !== "string" || Number.isNaN(Date.parse(createdAt))) {
    throw unsound(path, "it does not say when it was created");
  }
  if (!Array.isArray(files) || files.length === 0) throw unsound(path, "it lists no files");
  return {
    format: manifestFormat,
    product: manifestProduct,
    version,
    node: typeof node === "string" ? node : "none",
    createdAt,
    durationMs: typeof durationMs === "number" ? durationMs : 0,
    files: files.map((entry: unknown) => parseFile(entry, path)),
  };
}

function parseFile(entry: unknown, manifest: string): ManifestFile {
  const { path, bytes, sha256 } = isRecord(entry) ? entry : {};
  if (typeof path !== "string" || !isPathBelow(path)) {
    // It decides which files a restore writes, so it must not lead out of the folder.
    throw unsound(manifest, `${JSON.stringify(path)} is no path below the folder`);
  }
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw unsound(manifest, `${path} has no size`);
  }
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw unsound(manifest, `${path} has no checksum`);
  }
  return { path, bytes, sha256 };
}

function isPathBelow(path: string): boolean {
  return path.split("/").every((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part));
}

function unsound(path: string, why: string): Error {
  return backupErrors.BACKUP_UNSOUND(`The manifest ${path} is damaged: ${why}.`, {
    details: { where: path, fix: "Use another backup." },
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
