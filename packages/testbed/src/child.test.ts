import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test } from "node:test";
import { spawnNode, spawnProgram } from "./child.ts";
import { seedOf } from "./seed.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { withTimeout } from "./with-timeout.ts";

const fixture = new URL("../fixtures/child.ts", import.meta.url);
const crashing = new URL("../fixtures/crashing-test.ts", import.meta.url);

test("a child's lines are collected by stream, the unfinished last one too", async () => {
  await using child = spawnNode(fixture, ["hello", "Ada"]);
  assert.deepEqual(await child.exited, { code: 0, signal: null });
  assert.equal(child.stdout, "hello Ada\nno newline at the end\n");
  assert.equal(child.stderr, "a word aside\n");
  assert.equal(child.lines.length, 3);
});

test("a child gets its environment, folder and input, and nothing of the runner's", async () => {
  await using folder = await temporaryDirectory();
  const coverage = process.env["NODE_V8_COVERAGE"];
  process.env["NODE_V8_COVERAGE"] ??= folder.path;
  const cache = process.env["BANYAN_TEST_COMPILE_CACHE"];
  process.env["BANYAN_TEST_COMPILE_CACHE"] = folder.join("cache");
  await using child = spawnNode(fixture, ["environment"], {
    cwd: folder.path,
    env: { GIVEN: "yes" },
    execArgv: ["--conditions=source"],
  });
  if (coverage === undefined) delete process.env["NODE_V8_COVERAGE"];
  if (cache === undefined) delete process.env["BANYAN_TEST_COMPILE_CACHE"];
  else process.env["BANYAN_TEST_COMPILE_CACHE"] = cache;
  const { match } = await child.waitForLine(/^\{.*\}$/);
  const seen: unknown = JSON.parse(match[0]);
  assert.deepEqual(seen, { given: "yes", cache: folder.join("cache"), cwd: folder.path });
  await using reader = spawnNode(fixture, ["echo"], { input: "three words here" });
  await reader.waitForLine(/^read: three words here$/);
});

test("waiting for a line finds earlier ones, or only later ones when told so", async () => {
  await using child = spawnNode(fixture, ["tick"]);
  await child.waitForLine(/^tick 3$/);
  const early = await child.waitForLine(/^tick (\d)$/, { stream: "stdout" });
  assert.deepEqual([early.index, early.match[1]], [0, "1"]);
  const from = child.nextIndex;
  const later = await child.waitForLine(/tick/, { from });
  assert.ok(later.index >= from);
});

test("a line that does not come says so, with what was printed instead", async () => {
  await using child = spawnNode(fixture, ["serve"]);
  await child.waitForLine(/ready/);
  await assert.rejects(
    child.waitForLine(/steady/, { timeoutMs: 20 }),
    /A line \/steady\/ did not happen within 20 ms\.[\s\S]*stdout\| ready/,
  );
  const waiting = child.waitForLine(/steady/);
  await Promise.all([
    child.kill(),
    assert.rejects(waiting, /can come: .*was ended by SIGKILL\.[\s\S]*stdout\| ready/),
  ]);
  await assert.rejects(child.waitForLine(/steady/), /was ended by SIGKILL/);
});

test("signals arrive, and the exit tells how the child ended", async () => {
  await using polite = spawnNode(fixture, ["serve"]);
  await polite.waitForLine(/ready/);
  assert.equal(polite.exit, undefined);
  assert.equal(polite.signal("SIGTERM"), true);
  assert.deepEqual(await polite.exited, { code: 7, signal: null });
  assert.deepEqual(polite.exit, { code: 7, signal: null });
  assert.equal(polite.signal("SIGTERM"), false);
  await using killed = spawnNode(fixture, ["serve"]);
  assert.deepEqual(await killed.kill(), { code: null, signal: "SIGKILL" });
});

test("a paused child does nothing until it is resumed", async () => {
  await using child = spawnNode(fixture, ["tick"]);
  await child.waitForLine(/tick 2/);
  child.pause();
  // What was in the pipe before the pause may still come; then nothing does.
  await assert.rejects(child.waitForLine(/tick/, { from: child.nextIndex + 100, timeoutMs: 50 }));
  const from = child.nextIndex;
  await assert.rejects(child.waitForLine(/tick/, { from, timeoutMs: 100 }), /did not happen/);
  child.resume();
  await child.waitForLine(/tick/, { from });
});

test("a child killed at a point has done all before it and nothing after it", async () => {
  for (const [point, nth, last] of [
    ["before-commit", 1, "begin 1"],
    ["after-commit", 1, "commit 1"],
    ["before-commit", 3, "begin 3"],
    ["after-commit", 2, "commit 2"],
  ] as const) {
    await using folder = await temporaryDirectory();
    const file = folder.join("journal");
    await using child = spawnNode(fixture, ["commit", file]);
    assert.deepEqual(await child.killAt(point, nth), { code: null, signal: "SIGKILL" });
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    assert.equal(lines.at(-1), last);
  }
});

test("a child stopped at a point waits there until it may go on", async () => {
  await using child = spawnNode(fixture, ["points"]);
  const stopped = await child.stopAt("two");
  assert.equal(stopped.point, "two");
  assert.equal(child.stdout, "");
  stopped.go();
  stopped.go();
  await child.waitForLine(/through/);
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test("a point that is never reached is an error that names the points passed", async () => {
  await using child = spawnNode(fixture, ["points"]);
  await assert.rejects(
    child.killAt("three"),
    /"three" was not reached: the child exited with code 0\. It passed one, two\./,
  );
  await assert.rejects(child.stopAt("one"), /exited with code 0/);
});

test("a child without a testbed passes its points unhindered", async () => {
  await using child = spawnNode(fixture, ["points"], { env: { BANYAN_TESTPOINTS: undefined } });
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test("a random kill comes at its seed's time, unless the child was faster", async () => {
  await using child = spawnNode(fixture, ["serve"]);
  const exit = await child.killAtRandom({ seed: seedOf(), minMs: 1, maxMs: 30 });
  assert.deepEqual(exit, { code: null, signal: "SIGKILL" });
  await using quick = spawnNode(fixture, ["hello"]);
  const ended = await quick.killAtRandom({ seed: seedOf(), minMs: 60_000, maxMs: 60_001 });
  assert.deepEqual(ended, { code: 0, signal: null });
});

test("disposal ends the child's own children too, which a plain kill leaves", async () => {
  await using lifeline = await openLifeline();
  let ended = false;
  {
    await using child = spawnNode(fixture, ["family", String(lifeline.port)]);
    void lifeline.cut.then(() => (ended = true));
    await Promise.all([child.waitForLine(/family/), lifeline.held]);
    await child.kill();
    await assert.rejects(withTimeout(lifeline.cut, { what: "Its end", timeoutMs: 50 }));
    assert.equal(ended, false);
  }
  await withTimeout(lifeline.cut, { what: "The grandchild's end" });
});

test("a test process that ends in any way leaves neither child nor folder", async () => {
  for (const ending of ["throw", "SIGTERM", "SIGINT"] as const) {
    await using lifeline = await openLifeline();
    await using tests = spawnNode(crashing, [ending, String(lifeline.port)]);
    const { match } = await tests.waitForLine(/folder (.+)/);
    await lifeline.held;
    tests.signal(ending === "throw" ? "SIGUSR2" : ending);
    const exit = await tests.exited;
    if (ending === "throw") assert.equal(exit.code, 1);
    else assert.deepEqual(exit, { code: null, signal: ending });
    await withTimeout(lifeline.cut, { what: "The child's end" });
    assert.equal(existsSync(match[1] ?? ""), false);
  }
});

test("any program can be started; one that is not there is an error at once", async () => {
  await using shell = spawnProgram("sh", ["-c", "echo $((6 * 7))"]);
  await shell.waitForLine(/^42$/);
  assert.throws(() => spawnProgram("no-such-program-here"), /could not be started/);
});

interface Lifeline extends AsyncDisposable {
  readonly port: number;
  /** Resolves when a process holds the line. */
  readonly held: Promise<void>;
  /** Resolves when it does no more: the system closes the connection of a process that died. */
  readonly cut: Promise<void>;
}

async function openLifeline(): Promise<Lifeline> {
  const held = Promise.withResolvers<void>();
  const cut = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    held.resolve();
    socket.on("error", () => undefined).on("close", () => cut.resolve());
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const dispose = async (): Promise<void> => void server.close();
  return {
    port: address.port,
    held: held.promise,
    cut: cut.promise,
    [Symbol.asyncDispose]: dispose,
  };
}
