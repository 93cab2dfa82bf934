/** `services/*`: the folders a pattern names. One `*` stands for one name; there is no `**`. */

import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** Bound on what one pattern may find: a pattern that finds more is a mistake. */
const foldersMax = 1000;

/** Absolute paths in order of their names; hidden folders and `node_modules` are passed over. */
export function findFolders(base: string, pattern: string): string[] {
  let found = [resolve(base)];
  const absolute = pattern.startsWith("/");
  if (absolute) found = ["/"];
  for (const segment of pattern.split("/")) {
    if (segment === "" || segment === ".") continue;
    found = segment.includes("*")
      ? found.flatMap((folder) => matching(folder, segment))
      : found.map((folder) => join(folder, segment));
    found = found.filter(isFolder).slice(0, foldersMax);
  }
  return found;
}

/** What stands before the first `*`: `services` of `services/*`. */
export function literalStart(pattern: string): string {
  const segments = pattern.split("/");
  const star = segments.findIndex((segment) => segment.includes("*"));
  return segments.slice(0, star === -1 ? segments.length : star).join("/");
}

function matching(folder: string, segment: string): string[] {
  const literal = segment.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  const pattern = new RegExp(`^${literal.join(".*")}$`);
  return readdirSync(folder)
    .filter((name) => pattern.test(name) && !name.startsWith(".") && name !== "node_modules")
    .toSorted()
    .map((name) => join(folder, name));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
