/**
 * Whether a backup is what was written: sizes, checksums, and for each database SQLite's own
 * integrity check and the schema of a version that is known here. Nothing in the folder is changed,
 * so it may be on a medium that cannot be written.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { backupErrors, reasonOf } from "./backup-errors.ts";
import { manifestFile, readManifest } from "./backup-manifest.ts";
import type { BackupManifest, ManifestFile } from "./backup-manifest.ts";
import { migrations } from "./migrations.ts";

/** Something that is not as it was written. */
export interface BackupProblem {
  /** Of the file, below the backup's folder. */
  readonly path: string;
  readonly message: string;
}

export interface BackupCheck {
  readonly manifest: BackupManifest;
  /** Empty: the backup is sound. */
  readonly problems: readonly BackupProblem[];
}

const problemsPerFileMax = 10;
const databaseMagic = "SQLite format 3\0";

/** Looks at everything and lists all that is wrong. @throws BACKUP_NOT_FOUND, BACKUP_NEWER */
export async function checkBackup(folder: string): Promise<BackupCheck> {
  const manifest = await readManifest(folder);
  const problems: BackupProblem[] = [];
  for (const file of manifest.files) {
    const found = await checkFile(folder, file);
    problems.push(...found.map((message) => ({ path: file.path, message })));
  }
  const known = new Set([manifestFile, ...manifest.files.map(({ path }) => path)]);
  for (const path of await listFiles(folder)) {
    if (known.has(path)) continue;
    problems.push({ path, message: "is not in the manifest; it does not belong to the backup" });
  }
  return { manifest, problems };
}

/** @throws BACKUP_NOT_FOUND, BACKUP_NEWER, BACKUP_UNSOUND with everything that is wrong */
export async function verifyBackup(folder: string): Promise<BackupManifest> {
  const { manifest, problems } = await checkBackup(folder);
  if (problems.length === 0) return manifest;
  const lines = problems.map(({ path, message }) => `  ${path} ${message}`);
  throw backupErrors.BACKUP_UNSOUND(`The backup ${folder} is not sound:\n${lines.join("\n")}`, {
    details: { problems, fix: "Use another backup, and look after the disk that held this one." },
  });
}

async function checkFile(folder: string, file: ManifestFile): Promise<string[]> {
  const path = join(folder, file.path);
  try {
    const { size } = await stat(path);
    if (size !== file.bytes) return [`has ${size} bytes, ${file.bytes} were written`];
    const sha256 = await checksumOf(path);
    if (sha256 !== file.sha256) return ["has another content than what was written"];
    return (await isDatabase(path)) ? databaseProblems(path) : [];
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return [missing ? "is missing" : `cannot be read: ${reasonOf(error)}`];
  }
}

/** SHA-256 of a file's content, hexadecimal. */
async function checksumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) {
    // A stream without an encoding gives buffers.
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

async function isDatabase(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(databaseMagic.length));
    return buffer.toString("latin1", 0, bytesRead) === databaseMagic;
  } finally {
    await file.close();
  }
}

/** What SQLite finds wrong with a file, and what of its schema is not ours. */
function databaseProblems(path: string): string[] {
  let database: DatabaseSync | undefined;
  try {
    // Immutable: nothing is written beside it, and a stray log beside it is not read.
    const url = pathToFileURL(path);
    url.search = "?mode=ro&immutable=1";
    database = new DatabaseSync(url, { readOnly: true });
    const rows = database.prepare(`PRAGMA integrity_check(${problemsPerFileMax})`).all();
    const messages = rows.flatMap((row) => Object.values(row).map(String));
    const broken = messages.filter((message) => message !== "ok");
    if (broken.length > 0) return broken.map((message) => `is damaged: ${message}`);
    return schemaProblems(database);
  } catch (error) {
    return [`is damaged: ${reasonOf(error)}`];
  } finally {
    database?.close();
  }
}

/** The schema must be the one that this version's own steps make. */
function schemaProblems(database: DatabaseSync): string[] {
  const taken = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (taken > migrations.length) {
    return [`has schema ${taken}, this version knows ${migrations.length}; use the newer version`];
  }
  const model = new DatabaseSync(":memory:");
  try {
    for (const step of migrations.slice(0, taken)) model.exec(step);
    const wanted = schemaOf(model);
    const found = schemaOf(database);
    const names = [...new Set([...wanted.keys(), ...found.keys()])];
    return names
      .filter((name) => wanted.get(name) !== found.get(name))
      .map((name) => {
        if (!found.has(name)) return `lacks the ${name} of schema ${taken}`;
        if (!wanted.has(name)) return `has a ${name} that is not of schema ${taken}`;
        return `has another ${name} than schema ${taken}`;
      });
  } finally {
    model.close();
  }
}

/** `table entries` to its SQL. */
function schemaOf(database: DatabaseSync): Map<string, string> {
  const query =
    "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
  return new Map(
    database
      .prepare(query)
      .all()
      .map(({ type, name, sql }) => [`${String(type)} ${String(name)}`, String(sql)]),
  );
}

/** Every file below a folder, with `/` between the parts of its path. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted();
}
