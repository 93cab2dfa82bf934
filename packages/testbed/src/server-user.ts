/** Whom servers run as that refuse to run as root. */

import { chown, readFile } from "node:fs/promises";
import type { ChildUser } from "./child.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/**
 * The first of these users that the system has, when this process is root. Otherwise `undefined`:
 * such a server runs as this process does.
 */
export async function findServerUser(names: readonly string[]): Promise<ChildUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const wanted of names) {
    const [, , uid, gid] = users.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`This runs as root, and the system has no user ${names.join(" or ")}.`);
}

/** A temporary directory that is the user's. */
export async function directoryOf(
  user: ChildUser | undefined,
  name: string,
): Promise<TemporaryDirectory> {
  const folder = await temporaryDirectory(name);
  if (user !== undefined) await chown(folder.path, user.uid, user.gid);
  return folder;
}
