/** Versions of what is measured beside us, as they are pinned in bench/package.json. */

import { readFileSync } from "node:fs";

const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");

/** @throws Error when the package is not pinned to one version. */
export function peerVersion(name: string): string {
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  const version = dependencies[name] ?? "";
  if (/^\d+\.\d+\.\d+$/.test(version)) return version;
  throw new Error(`bench/package.json does not pin ${name} to one version.`);
}
