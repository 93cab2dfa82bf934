import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { spawnNode, spawnProgram } from "./child.ts";
import type { Child } from "./child.ts";
import { postgresPrograms } from "./postgres-data.ts";
import { findRunning, untilGone } from "./process-tree.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { assertNotOwn, ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand } from "./server-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import { withTimeout } from "./with-timeout.ts";

const postgresTest = { skip: await findReasonToSkip(postgresPrograms) };
const crashing = new URL("../fixtures/crashing-server-test.ts", import.meta.url);
const leaving = new URL("../fixtures/leaving-server-test.ts", import.meta.url);

class EchoServer extends ServerProcess {
  readonly #port: number;

  constructor(folder: TemporaryDirectory, port: number) {
    super({ what: "Echo", folder, startTimeoutMs: 10_000 });
    this.#port = port;
  }

  protected command(): ServerCommand {
    const code = `
      require("node:net").createServer().listen(${this.#port}, "127.0.0.1", () => {
        console.log("ready");
      });`;
    return { program: process.execPath, args: ["-e", code] };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/^ready$/, { timeoutMs });
  }
}

test("a server whose port somebody took meanwhile is started on another one", async () => {
  await using thief = createServer().listen(0, "127.0.0.1");
  await once(thief, "listening");
  const { port: taken } = thief.address() as AddressInfo;
  await using folder = await temporaryDirectory("echo");
  const tried: number[] = [];
  await using server = await startOnFreePort((port) => {
    tried.push(tried.length === 0 ? taken : port);
    return new EchoServer(folder, tried.at(-1) ?? 0);
  });
  assert.equal(server.isRunning, true);
  assert.equal(tried.length, 2);
});

test("one that cannot start leaves no process, and says what it printed", async () => {
  await using folder = await temporaryDirectory("echo");
  const refused = startOnFreePort(() => new EchoServer(folder, 70_000));
  await assert.rejects(refused, /No line .*ERR_SOCKET_BAD_PORT/s);
});

test("settings of the testbed's own are refused however they are written", () => {
  assertNotOwn({ "max-connections": "1" }, ["bind-address"]);
  for (const name of ["bind-address", "bind_address", "BIND_ADDRESS"]) {
    assert.throws(() => assertNotOwn({ [name]: "" }, ["bind-address"]), /testbed's own/);
  }
});

test(
  "a test process that ends badly leaves no server, even a frozen one",
  postgresTest,
  async () => {
    for (const ending of ["throw", "SIGTERM"] as const) {
      await using tests = spawnNode(crashing, [ending]);
      const { match } = await tests.waitForLine(/^left (\S+) ([\d ]+)$/, { timeoutMs: 30_000 });
      const [, folder = "", list = ""] = match;
      const pids = list.split(" ").map(Number);
      assert.ok(pids.length > 3);
      assert.deepEqual(findRunning(pids), pids);
      tests.signal(ending === "throw" ? "SIGUSR2" : ending);
      await tests.exited;
      await untilGone(pids);
      assert.equal(existsSync(folder), false);
    }
  },
);

test("a server that nobody disposes of keeps no test process from its end", async () => {
  await using tests = spawnNode(leaving);
  const { match } = await tests.waitForLine(/^left (\S+) (\d+)$/, { timeoutMs: 30_000 });
  const what = "The end of a test process that left a server";
  assert.deepEqual(await withTimeout(tests.exited, { what }), { code: 0, signal: null });
  await untilGone([Number(match[2])]);
  assert.equal(existsSync(match[1] ?? ""), false);
});

test("with its tree, those who left its group are frozen and ended with it", async () => {
  const code = `
    const { spawn } = require("node:child_process");
    const other = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    console.log("other " + other.pid);
    setInterval(() => {}, 1000);`;
  const start = (): Child => spawnProgram(process.execPath, ["-e", code], { tree: true });
  await using killed = start();
  const { match: first } = await killed.waitForLine(/^other (\d+)$/);
  killed.pause({ group: true });
  await killed.kill({ group: true });
  assert.deepEqual(findRunning([killed.pid, Number(first[1])]), []);
  let pids: number[] = [];
  {
    await using child = start();
    const { match } = await child.waitForLine(/^other (\d+)$/);
    pids = [child.pid, Number(match[1])];
    assert.deepEqual(findRunning(pids), pids);
  }
  assert.deepEqual(findRunning(pids), []);
});

const rootTest = { skip: process.getuid?.() === 0 ? false : "only root may be somebody else" };

test("a child may run as another user", rootTest, async () => {
  await using child = spawnProgram("id", ["-u"], { user: { uid: 65_534, gid: 65_534 }, cwd: "/" });
  await child.waitForLine(/^65534$/);
});
