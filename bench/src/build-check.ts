/** Is what was built as new as the sources? A bench of yesterday's code proves nothing. */

import { globSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Folders of packages whose `dist` is missing or older than a source. */
export function stalePackages(): string[] {
  return globSync("{packages,backends,services,apps}/*/tsconfig.json", { cwd: root })
    .map((path) => path.slice(0, -"/tsconfig.json".length))
    .filter((folder) => newest(folder, "src/**/*.ts") > newest(folder, "dist/**/*.js"))
    .sort();
}

/** The latest change of a file that is published, in milliseconds; 0 when there is none. */
function newest(folder: string, pattern: string): number {
  return globSync(pattern, { cwd: join(root, folder) })
    .filter((path) => !/\.(?:test|bench)\.ts$/.test(path))
    .reduce((latest, path) => Math.max(latest, statSync(join(root, folder, path)).mtimeMs), 0);
}
