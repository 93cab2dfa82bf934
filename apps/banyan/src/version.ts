/** The command's own version, from its package.json. */

import { readFileSync } from "node:fs";

export function readVersion(): string {
  // By the package's own name, because what is built stands at another depth than its source.
  const text = readFileSync(new URL(import.meta.resolve("banyan/package.json")), "utf8");
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest !== "object" || manifest === null || !("version" in manifest)) return "0.0.0";
  return String(manifest.version);
}
