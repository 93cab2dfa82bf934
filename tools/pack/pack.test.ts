/**
 * What a user gets: the published packages, packed, installed outside the repository, and run as
 * plain JavaScript. Catches what no test inside the repository can: a file that `files` forgets, an
 * import that only a workspace link satisfies, a type that only resolves from source.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { build, publishedPackages } from "../build/build.ts";

const root = resolve(import.meta.dirname, "../..");
const packages = publishedPackages(root);
const hasHost = packages.some(({ name }) => name === "@banyan/host");

describe("the published packages", { concurrency: false }, () => {
  let folder = "";

  before(async () => {
    // `npm test` has built already, before any test could read dist.
    if (process.env["BANYAN_BUILT"] === undefined) {
      const { code, output } = await build(root);
      assert.equal(code, 0, output);
    }
    folder = await mkdtemp(join(tmpdir(), "banyan-pack-"));
    const tarballs = await pack(join(folder, "tarballs"));
    const dependencies = Object.fromEntries(
      tarballs.map(({ name, file }) => [name, `file:./tarballs/${file}`]),
    );
    const manifest = { name: "outsider", private: true, type: "module", dependencies };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    cpSync(join(import.meta.dirname, "fixtures"), folder, { recursive: true });
    await npm(folder, ["install", "--prefer-offline", "--omit=dev", "--loglevel=error"]);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  test("hold their JavaScript and declarations, and no test or build leftovers", () => {
    for (const { name } of packages) {
      const files = globSync("**/*", { cwd: join(folder, "node_modules", name) });
      const strange = files.filter((file) => /\.test\.|\.bench\.|tsbuildinfo|^src\//.test(file));
      assert.deepEqual(strange, [], name);
      for (const target of doorTargets(join(folder, "node_modules", name, "package.json"))) {
        assert.ok(files.includes(target), `${name} lacks ${target}, which its exports promise`);
      }
    }
  });

  test("installed from tarballs, the kernel defines a contract", async () => {
    assert.equal(await node(folder, ["contract.mjs"]), "greeter greet\n");
  });

  test("installed from tarballs, a node runs a service", { skip: !hasHost }, async () => {
    assert.equal(await node(folder, ["node.mjs"]), '{"text":"Hello, Ada!","count":1}\n');
  });

  test("installed from tarballs, the command makes a service whose test passes", async () => {
    const banyan = join(folder, "node_modules/banyan/bin/banyan.js");
    assert.match(await node(folder, [banyan, "--version"]), /^\d+\.\d+\.\d+\n$/);
    await node(folder, [banyan, "new", "service", "hello"]);
    const report = await node(folder, ["--test", "services/hello/src/hello.test.ts"]);
    assert.match(report, /^ℹ fail 0$/m);
    const called = await node(folder, [banyan, "config", "show", "--json"]);
    assert.match(called, /"sqlite"/);
  });

  test("their types hold for a user with a strict compiler", async () => {
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const types = join(root, "node_modules/@types");
    const flags = ["--strict", "--module", "nodenext", "--target", "es2024"];
    const emit = ["--declaration", "--emitDeclarationOnly", "--outDir", "declarations"];
    const known = ["--typeRoots", types, "--types", "node"];
    await node(folder, [compiler, ...flags, ...emit, ...known, "user.ts"]);
  });
});

interface Tarball {
  readonly name: string;
  readonly file: string;
}

async function pack(destination: string): Promise<Tarball[]> {
  await mkdir(destination);
  const workspaces = packages.flatMap(({ folder }) => ["--workspace", folder]);
  await npm(root, ["pack", "--pack-destination", destination, "--loglevel=error", ...workspaces]);
  return globSync("*.tgz", { cwd: destination }).map((file) => {
    const base = file.replace(/-\d+\.\d+\.\d+.*\.tgz$/, "");
    const packed = packages.find(({ name }) => name.replace("@", "").replace("/", "-") === base);
    assert.ok(packed !== undefined, `no package has the tarball ${file}`);
    return { name: packed.name, file };
  });
}

/** The files that the exports of a package name, without those of the source condition. */
function doorTargets(manifestPath: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(manifestPath, "utf8"));
  const targets: string[] = [];
  const collect = (value: unknown, condition: string): void => {
    if (condition === "source") return;
    if (typeof value === "string") targets.push(value.replace(/^\.\//, ""));
    else if (typeof value === "object" && value !== null) {
      for (const [key, child] of Object.entries(value)) collect(child, key);
    }
  };
  if (typeof manifest === "object" && manifest !== null && "exports" in manifest) {
    collect(manifest.exports, "");
  }
  return targets;
}

function npm(cwd: string, args: readonly string[]): Promise<string> {
  const cli = process.env["npm_execpath"];
  const isWindows = process.platform === "win32";
  return cli?.endsWith(".js") === true
    ? run(process.execPath, [cli, ...args], { cwd })
    : run("npm", args, { cwd, shell: isWindows });
}

function node(cwd: string, args: readonly string[]): Promise<string> {
  return run(process.execPath, args, { cwd });
}

interface RunOptions {
  readonly cwd: string;
  readonly shell?: boolean;
}

/** Runs a program without this run's own settings (conditions, coverage, reporter). */
function run(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const env = { ...process.env };
  for (const own of ["NODE_OPTIONS", "NODE_V8_COVERAGE", "NODE_TEST_CONTEXT"]) delete env[own];
  return new Promise((done, refuse) => {
    execFile(program, args, { ...options, env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else refuse(new Error(`${program} ${args.join(" ")}\n${stdout}${stderr}`, { cause: error }));
    });
  });
}
