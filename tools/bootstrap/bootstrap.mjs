// Makes `npm start` and `npm test` work on a fresh clone with any Node >= 20 and npm.
//
// npm runs this file before the real script (prestart, pretest, …). It installs when node_modules
// is missing or does not match the manifests, and makes sure that the script that follows finds
// Node 24: the pinned `node-<platform>` package puts it at node_modules/.bin/node, and npm puts
// that folder first on the PATH of its scripts.
//
// Plain JavaScript for Node 20, no dependency: nothing is installed yet when it runs.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_TO_INSTALL = 20; // the oldest Node whose npm reads our lock file without trouble
const NODE_MAJOR_TO_RUN = 24; // the sources are TypeScript that Node 24 strips by itself
const NPM_MAJOR_MIN = 9; // what Node 20 shipped with at first

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const modules = join(root, "node_modules");
const stampFile = join(modules, ".banyan-install.json");

/** What npm prints, what it means, what to do. */
const INSTALL_CAUSES = [
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|EIDLETIMEOUT/,
    "The package registry cannot be reached.",
    "Check the network, the proxy (`npm config get proxy`) and the registry (`npm config get registry`).",
  ],
  [
    /EINTEGRITY/,
    "A downloaded package does not match the hash in package-lock.json.",
    "Run `npm cache verify` and try again; if it stays, do not install: the registry serves other content.",
  ],
  [
    /E401|E403|ENEEDAUTH/,
    "The package registry refused the request.",
    "Sign in to your registry (`npm login`) or use the public one.",
  ],
  [
    /(?:E404|ETARGET)[\s\S]*@banyan(?:\/|%2f)/,
    "A package of this repository is named as a dependency but is not here.",
    "Add it under packages/, or correct the package.json that names it.",
  ],
  [
    /E404|ETARGET/,
    "The package registry does not have a version that this project pins.",
    "Use a registry that mirrors registry.npmjs.org completely.",
  ],
  [/ENOSPC/, "The disk is full.", "The installation needs about 400 MB."],
  [
    /EACCES|EPERM|EROFS/,
    "The project folder or npm's cache cannot be written.",
    'Check who owns them (`ls -ld . "$(npm config get cache)"`).',
  ],
];

main();

function main() {
  refuseOldTools();
  const manifestsNow = manifestKey();
  if (readStamp() === `${manifestsNow} ${lockKey()}`) return;
  install();
  ensureNode24();
  ensureExec();
  mkdirSync(modules, { recursive: true });
  // The manifests as they were before, in case one was edited meanwhile; the lock file as it is
  // now, because the installation may have completed it.
  writeFileSync(stampFile, `${JSON.stringify({ key: `${manifestsNow} ${lockKey()}` })}\n`);
}

function refuseOldTools() {
  if (majorOf(process.versions.node) < NODE_MAJOR_TO_INSTALL) {
    fail(
      `Node ${process.versions.node} is too old to install this project.`,
      `Use Node ${NODE_MAJOR_TO_INSTALL} or newer (\`nvm install\` reads .nvmrc).`,
    );
  }
  const agent = /^(\w+)\/([\d.]+)/.exec(process.env.npm_config_user_agent ?? "");
  if (agent === null) return; // started by hand: `npm` on the PATH will do the work
  const [, name, version] = agent;
  if (name !== "npm") {
    fail(`This project is installed with npm, not ${name}.`, "Run `npm start` or `npm test`.");
  }
  if (majorOf(version) < NPM_MAJOR_MIN) {
    fail(
      `npm ${version} is too old to install this project.`,
      `Run \`npm install --global npm@${NPM_MAJOR_MIN}\` or use a newer Node.`,
    );
  }
}

/** Changes whenever a manifest asks for another installation, or the machine is another. */
function manifestKey() {
  const hash = createHash("sha256");
  hash.update(`${process.platform} ${process.arch}\n`);
  for (const file of manifests()) {
    const { name, bin, workspaces, ...rest } = JSON.parse(readFileSync(join(root, file), "utf8"));
    const needs = Object.entries(rest).filter(([key]) => /dependencies$/i.test(key));
    hash.update(`\n${file} ${JSON.stringify({ name, bin, workspaces, needs })}`);
  }
  return hash.digest("hex");
}

function lockKey() {
  const lock = join(root, "package-lock.json");
  if (!existsSync(lock)) return "no lock";
  return createHash("sha256").update(readFileSync(lock)).digest("hex");
}

/** The root package.json and those of all workspaces, relative to the root, in a fixed order. */
function manifests() {
  const rootManifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const files = ["package.json"];
  for (const pattern of rootManifest.workspaces ?? []) {
    const folder = pattern.replace(/\/\*$/, "");
    const names = pattern.endsWith("/*") ? childrenOf(join(root, folder)) : [""];
    files.push(...names.map((name) => join(folder, name, "package.json")));
  }
  return files.filter((file) => existsSync(join(root, file))).sort();
}

function childrenOf(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, "utf8")).key;
  } catch {
    return undefined; // never installed, or cut short while writing: install again
  }
}

function install() {
  const fresh = !existsSync(modules);
  const hasLock = existsSync(join(root, "package-lock.json"));
  const startedAt = Date.now();
  say(fresh ? "installing dependencies (first run) …" : "dependencies changed, installing …");
  let result = fresh && hasLock ? npm("ci") : npm("install");
  if (result.status !== 0 && /can only install packages when|not in sync/i.test(result.output)) {
    say("package-lock.json does not match the package.json files; completing it …");
    result = npm("install");
  }
  if (result.status !== 0) failInstall(result);
  say(`installed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

/** Runs npm with the Node that runs npm now, so it never depends on a binary it replaces. */
function npm(verb) {
  const args = [verb, "--include=dev", "--include=optional", "--loglevel=error"];
  const cli = process.env.npm_execpath;
  const options = { cwd: root, stdio: ["ignore", "inherit", "pipe"], encoding: "utf8" };
  const run = cli?.endsWith(".js")
    ? spawnSync(process.env.npm_node_execpath ?? process.execPath, [cli, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
  const output = `${run.stderr ?? ""}${run.error?.message ?? ""}`;
  return { status: run.status ?? 1, output };
}

function failInstall({ status, output }) {
  process.stderr.write(output);
  const known = INSTALL_CAUSES.find(([pattern]) => pattern.test(output));
  fail(
    known?.[1] ?? `npm ended with exit code ${status}.`,
    known?.[2] ?? "What npm said stands above; `npm install` by hand shows more.",
  );
}

function ensureNode24() {
  const pinned = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (existsSync(pinned)) {
    const run = spawnSync(pinned, ["--version"], {
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (run.status === 0 && majorOf(run.stdout.slice(1)) >= NODE_MAJOR_TO_RUN) return;
    // For example a Linux without glibc: fall back to the machine's own Node.
    for (const name of ["node", "node.cmd", "node.ps1"]) {
      rmSync(join(modules, ".bin", name), { force: true });
    }
  }
  if (majorOf(process.versions.node) >= NODE_MAJOR_TO_RUN) return;
  fail(
    `No Node ${NODE_MAJOR_TO_RUN} package runs on ${process.platform}-${process.arch}, ` +
      `and this machine's own Node is ${process.versions.node}.`,
    `Install Node ${NODE_MAJOR_TO_RUN} (\`nvm install\` reads .nvmrc) and run the command again.`,
  );
}

/**
 * `npm start` says `exec node …`: without `exec` a shell stands between npm and the node, and a
 * signal that npm passes on ends the shell but never reaches the node. Windows has no `exec`.
 */
function ensureExec() {
  if (process.platform !== "win32") return;
  writeFileSync(join(modules, ".bin", "exec.cmd"), "@%*\r\n");
}

function majorOf(version) {
  return Number.parseInt(version, 10);
}

function say(line) {
  process.stderr.write(`bootstrap: ${line}\n`);
}

function fail(what, fix) {
  process.stderr.write(`\nbootstrap: ${what}\n           ${fix}\n`);
  process.exit(1);
}
