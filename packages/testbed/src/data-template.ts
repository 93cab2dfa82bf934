/**
 * The files of a freshly initialised database, made once per machine and copied for each test: to
 * initialise one takes seconds.
 *
 * What it owns: one archive for each kind, in the temporary folder of the system, where it stays.
 * What may interrupt it: another process that makes the same archive; the last one stays.
 *
 * T1. An archive is there whole or not at all: it is written under another name and renamed.
 * T2. Another program, version, or way of initialising has another archive.
 */

import { createHash } from "node:crypto";
import { stat, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnProgram } from "./child.ts";
import type { ChildUser } from "./child.ts";
import { directoryOf } from "./server-user.ts";

export interface DataTemplate {
  /** What is initialised: `postgres`. */
  readonly name: string;
  /** Path of the program whose data it is; another build of it makes another template. */
  readonly program: string;
  /** Everything else that decides what is in it. */
  readonly recipe: readonly string[];
  readonly user: ChildUser | undefined;
  /** Initialises the folder, which is there and empty, and leaves nothing running. */
  build(folder: string): Promise<void>;
}

/** Fills an empty folder, which is the user's, with the template's files. */
export async function copyTemplate(template: DataTemplate, folder: string): Promise<void> {
  const archive = await ensureArchive(template);
  await run(template, ["tar", "-xf", archive, "-C", folder]);
}

const building = new Map<string, Promise<void>>();

async function ensureArchive(template: DataTemplate): Promise<string> {
  const path = await archivePath(template);
  if (await isOurs(path, template)) return path;
  const running = building.get(path) ?? build(template, path).finally(() => building.delete(path));
  building.set(path, running);
  await running;
  return path;
}

async function build(template: DataTemplate, path: string): Promise<void> {
  await using folder = await directoryOf(template.user, `${template.name}-template`);
  const data = folder.join("data");
  await run(template, ["mkdir", "-m", "700", data]);
  await template.build(data);
  const archive = folder.join("data.tar");
  await run(template, ["tar", "-cf", archive, "-C", data, "."]);
  await rename(archive, path); // T1
}

/** In a folder that everybody may write to, what somebody else left is not trusted. */
async function isOurs(path: string, { user }: DataTemplate): Promise<boolean> {
  try {
    const { uid } = await stat(path);
    return uid === (user?.uid ?? process.getuid?.());
  } catch {
    // Not there: nobody has made it yet.
    return false;
  }
}

async function archivePath({ name, program, recipe, user }: DataTemplate): Promise<string> {
  const { size, mtimeMs } = await stat(program);
  const facts = JSON.stringify([program, size, mtimeMs, recipe, user ?? process.getuid?.()]);
  const digest = createHash("sha256").update(facts).digest("hex").slice(0, 16);
  return join(tmpdir(), `banyan-${name}-template-${digest}.tar`);
}

async function run({ user }: DataTemplate, [program = "", ...args]: string[]): Promise<void> {
  // Where this process works may be closed to the user.
  const options = { cwd: tmpdir(), ...(user === undefined ? {} : { user }) };
  await using child = spawnProgram(program, args, options);
  const { code } = await child.exited;
  if (code === 0) return;
  throw new Error(`${program} ${args.join(" ")} failed:\n${child.stdout}${child.stderr}`);
}
