/**
 * A folder as a user of the published packages would have it: the platform in `node_modules`, and
 * the command. What runs in it is for whoever makes it to add, below `services`.
 */

import { cp, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";

const root = resolve(import.meta.dirname, "../..");

export const repositoryRoot = root;

/** The `banyan` command of the folder is at `banyanBin(folder, …)`. */
export async function makeProjectFolder(fromSource: boolean): Promise<TemporaryDirectory> {
  const folder = await temporaryDirectory("bench");
  // Without its sources beside it, as it is published, the command can only run what was built.
  const published = fromSource ? [] : ["bin", "dist", "package.json"];
  for (const part of published) {
    await cp(join(root, "apps/banyan", part), folder.join("banyan", part), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(folder.path, "node_modules"));
  await writeFile(join(folder.path, "package.json"), '{ "private": true, "type": "module" }\n');
  return folder;
}

/** The `banyan` command to measure. */
export function banyanBin(folder: TemporaryDirectory, fromSource: boolean): string {
  const home = fromSource ? join(root, "apps/banyan") : folder.join("banyan");
  return join(home, "bin/banyan.js");
}
