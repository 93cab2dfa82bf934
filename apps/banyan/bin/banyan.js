#!/usr/bin/env node
/**
 * The door of the `banyan` command: plain JavaScript that any Node ≥ 20 can run.
 *
 * It answers `--version` at once, finds the Node 24 that was installed with the platform when this
 * one is older, and then runs `dist/main.js`, or the TypeScript itself in a checkout. Everything
 * else is behind that import.
 */

import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const nodeMajorMin = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const nodeMajor = Number.parseInt(process.versions.node, 10);

if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  process.stdout.write(`${version}\n`);
} else if (nodeMajor < nodeMajorMin) {
  await runOnPinnedNode();
} else {
  await import(entryUrl());
}

/**
 * A checkout has its sources and runs them, so that nothing stale is ever run; what was published
 * has only what was built. `BANYAN_RUN_BUILT=1` is for measuring the build in a checkout.
 */
function entryUrl() {
  // Keeps compiled code between runs: a third of the start. It fails silently where it cannot.
  module.enableCompileCache();
  const source = join(root, "src", "main.ts");
  const built = join(root, "dist", "main.js");
  if (!existsSync(source) || (process.env.BANYAN_RUN_BUILT === "1" && existsSync(built))) {
    return new URL("../dist/main.js", import.meta.url);
  }
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ""]
    .join(" ")
    .match(/(?:--conditions|-C)[= ]source\b/);
  if (asked === null) {
    // The sister packages must be read from their sources too. A hook in this thread does what the
    // flag would, without a second process.
    module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: ["source", ...context.conditions] }),
    });
  }
  return new URL("../src/main.ts", import.meta.url);
}

/** Runs the same command on the Node that came with the installation, and ends as it ends. */
async function runOnPinnedNode() {
  const pinned = findPinnedNode();
  if (pinned === undefined) {
    process.stderr.write(
      `banyan needs Node ${nodeMajorMin} or later; this is ${process.version}.\n` +
        `  at:  ${process.execPath}\n` +
        `  fix: run \`npm install\` in the project, or install Node ${nodeMajorMin} from nodejs.org.\n`,
    );
    process.exitCode = 10;
    return;
  }
  const { spawn } = await import("node:child_process");
  const child = spawn(pinned, [...process.execArgv, process.argv[1], ...args], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // The command itself takes a repeat within a moment for the same key press.
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", (error) => {
    process.stderr.write(`banyan could not start ${pinned}: ${error.message}\n`);
    process.exitCode = 10;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1;
    else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

/** A Node that is new enough in the nearest `node_modules`, from here or the working folder. */
function findPinnedNode() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = process.platform === "win32" ? "node.exe" : "node";
  const packages = [
    [`node-${platform}-${process.arch}`, "bin", name],
    ["node", "bin", name],
  ];
  for (const start of [root, process.cwd()]) {
    for (let folder = start; ; folder = dirname(folder)) {
      for (const parts of packages) {
        const path = join(folder, "node_modules", ...parts);
        if (existsSync(path) && isNewEnough(join(folder, "node_modules", parts[0]))) return path;
      }
      if (dirname(folder) === folder) break;
    }
  }
  return undefined;
}

function isNewEnough(packageFolder) {
  try {
    const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
    return Number.parseInt(version, 10) >= nodeMajorMin;
  } catch {
    // A half-installed package is no Node; the search goes on.
    return false;
  }
}
