/** `node tools/tidy/main.ts [--rules]`: runs the style test over this tree. */

import { resolve } from "node:path";
import { loadRepo } from "./repo.ts";
import { rules, tidy } from "./tidy.ts";

if (process.argv.includes("--rules")) {
  for (const { name, about } of rules) console.log(`${name.padEnd(16)} ${about}`);
} else {
  const findings = await tidy(loadRepo(resolve(import.meta.dirname, "../..")));
  for (const { rule, path, line, message } of findings) {
    console.log(`${path}:${line}  ${rule}: ${message}`);
  }
  if (findings.length > 0) {
    console.log(`\n${findings.length} findings. Exceptions go into tools/tidy/exceptions.ts.`);
    process.exitCode = 1;
  }
}
