/**
 * Writes what is described here: the dashboards and the recording rules.
 *
 *   node --conditions=source deploy/observability/src/main.ts
 */

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { writtenFiles } from "./written-files.ts";

const folder = resolve(import.meta.dirname, "..");

for (const [name, text] of writtenFiles()) {
  writeFileSync(resolve(folder, name), text);
  process.stdout.write(`${name}\n`);
}
