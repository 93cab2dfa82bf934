/** Where a program is on this machine. */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of a program in the given folders or else on the `PATH`, if it is there. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  for (const folder of [...folders, ...(process.env["PATH"] ?? "").split(delimiter)]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder: the next one.
    }
  }
  return undefined;
}
