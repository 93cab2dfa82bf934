/**
 * `node tools/readiness/main.ts` writes the pages made from `readiness/*.yaml`;
 * with `--check` it writes nothing and fails when they are stale or a proof is missing.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { loadRepo } from "../tidy/repo.ts";
import { checkLedger, outputs, readLedger } from "./proofs.ts";

const root = resolve(import.meta.dirname, "../..");
if (!process.argv.includes("--check")) {
  const repo = loadRepo(root);
  for (const { path, text } of outputs(repo, readLedger(repo).entries)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}
const problems = checkLedger(loadRepo(root));
for (const { file, message } of problems) console.log(`${file}: ${message}`);
if (problems.length > 0) process.exitCode = 1;
