/** Which file on disk a path leads to. */

import { statSync } from "node:fs";

/** Device and inode as text; `""` where nothing is. */
export function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? "" : `${found.dev}:${found.ino}`;
}
