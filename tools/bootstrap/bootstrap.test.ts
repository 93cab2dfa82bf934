import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, test } from "node:test";

const bootstrap = resolve(import.meta.dirname, "bootstrap.mjs");

/** A clone in a temporary folder: the bootstrap, a root with one workspace, no dependency. */
class Clone {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  static async open(): Promise<Clone> {
    const clone = new Clone(await mkdtemp(join(tmpdir(), "bootstrap-")));
    await clone.write("package.json", { name: "clone", private: true, workspaces: ["packages/*"] });
    await clone.write("packages/one/package.json", { name: "one", version: "1.0.0" });
    await mkdir(join(clone.root, "tools/bootstrap"), { recursive: true });
    await copyFile(bootstrap, join(clone.root, "tools/bootstrap/bootstrap.mjs"));
    return clone;
  }

  async write(path: string, content: object | string): Promise<void> {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await mkdir(dirname(join(this.root, path)), { recursive: true });
    await writeFile(join(this.root, path), text, { mode: 0o755 });
  }

  async has(path: string): Promise<boolean> {
    return access(join(this.root, path)).then(
      () => true,
      () => false,
    );
  }

  run(env: Record<string, string> = {}): Promise<{ code: number; said: string }> {
    const options = { env: { ...process.env, CI: "", ...env }, timeout: 60_000 };
    const file = join(this.root, "tools/bootstrap/bootstrap.mjs");
    return new Promise((done) => {
      execFile(process.execPath, [file], options, (error, _out, stderr) => {
        const code = typeof error?.code === "number" ? error.code : error === null ? 0 : 1;
        done({ code, said: stderr });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

describe("bootstrap", { concurrency: false }, () => {
  test("installs a fresh clone once, and again when a manifest asks for it", async () => {
    await using clone = await Clone.open();
    const first = await clone.run();
    assert.equal(first.code, 0, first.said);
    assert.match(first.said, /first run/);
    assert.ok(await clone.has("node_modules/one/package.json"));
    assert.deepEqual(await clone.run(), { code: 0, said: "" });

    await clone.write("packages/two/package.json", { name: "two", version: "1.0.0" });
    const again = await clone.run();
    assert.match(again.said, /dependencies changed/);
    assert.ok(await clone.has("node_modules/two/package.json"));
    assert.deepEqual(await clone.run(), { code: 0, said: "" });

    // A script is no dependency: nothing is installed for it.
    await clone.write("packages/two/package.json", { name: "two", version: "1.0.0", scripts: {} });
    assert.deepEqual(await clone.run(), { code: 0, said: "" });
  });

  test("completes a lock file that lacks a workspace", async () => {
    await using clone = await Clone.open();
    await clone.run();
    await rm(join(clone.root, "node_modules"), { recursive: true });
    await clone.write("packages/two/package.json", { name: "two", version: "1.0.0" });
    const { code, said } = await clone.run();
    assert.equal(code, 0, said);
    assert.match(said, /does not match the package\.json files/);
    assert.match(await readFile(join(clone.root, "package-lock.json"), "utf8"), /packages\/two/);
  });

  test("finds the pinned Node, and falls back when it cannot run here", async (t) => {
    if (process.platform === "win32") return t.skip("the fake Node is a shell script");
    await using clone = await Clone.open();
    const manifest = { name: "node-here", version: "1.0.0", bin: { node: "bin/node" } };
    await clone.write("packages/node-here/package.json", manifest);
    await clone.write("packages/node-here/bin/node", "#!/bin/sh\necho v24.99.0\n");
    assert.equal((await clone.run()).code, 0);
    assert.ok(await clone.has("node_modules/.bin/node"));

    await clone.write("packages/node-here/bin/node", "#!/bin/sh\nexit 127\n");
    await clone.write("packages/two/package.json", { name: "two", version: "1.0.0" });
    const { code, said } = await clone.run();
    assert.equal(code, 0, said); // this test runs on Node 24 itself
    assert.equal(await clone.has("node_modules/.bin/node"), false);
  });

  test("an unreachable registry is named as such", async () => {
    await using clone = await Clone.open();
    await clone.write("packages/one/package.json", {
      name: "one",
      version: "1.0.0",
      dependencies: { "never-cached-package-of-the-bootstrap-test": "1.0.0" },
    });
    const { code, said } = await clone.run({
      npm_config_registry: "http://127.0.0.1:9/",
      npm_config_fetch_retries: "0",
    });
    assert.equal(code, 1);
    assert.match(said, /The package registry cannot be reached/);
  });

  test("another package manager and an old npm are refused by name", async () => {
    await using clone = await Clone.open();
    const yarn = await clone.run({ npm_config_user_agent: "yarn/1.22.0 npm/? node/v20" });
    assert.equal(yarn.code, 1);
    assert.match(yarn.said, /installed with npm, not yarn/);
    const old = await clone.run({ npm_config_user_agent: "npm/6.14.0 node/v20.0.0" });
    assert.equal(old.code, 1);
    assert.match(old.said, /npm 6\.14\.0 is too old/);
  });

  test("a signal given to npm reaches the node, and its exit code comes back", async (t) => {
    if (process.platform === "win32") return t.skip("Windows has no signals to pass on");
    const manifest = await readFile(resolve(import.meta.dirname, "../../package.json"), "utf8");
    assert.match(manifest, /"start": "exec node /); // without exec the shell takes the signal
    await using clone = await Clone.open();
    await clone.write("package.json", { scripts: { start: "exec node drain.mjs" } });
    const drain = [
      'process.once("SIGTERM", () => { console.log("drained"); clearInterval(timer); });',
      "const timer = setInterval(() => {}, 1000);",
      'console.log("ready");',
    ];
    await clone.write("drain.mjs", drain.join("\n"));
    const child = spawn("npm", ["--silent", "start"], { cwd: clone.root, stdio: "pipe" });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (text.includes("ready")) child.kill("SIGTERM");
    });
    const [code] = await once(child, "close");
    assert.equal(said, "ready\ndrained\n");
    assert.equal(code, 0);
  });
});
