/** The command as a user runs it: real processes, one node for most of the tests. */

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bareEnvironment, spawnNode, temporaryDirectory } from "@banyan/testbed";
import type { Child, TemporaryDirectory } from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = join(root, "apps/banyan/bin/banyan.js");
const readyTimeoutMs = 30_000; // a busy machine reads the sources in seconds

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project with the greeter and a service whose operations are slow, grouped and endless. */
async function makeProject(): Promise<TemporaryDirectory> {
  const project = await temporaryDirectory("project");
  mkdirSync(project.join("services"));
  symlinkSync(join(root, "node_modules"), project.join("node_modules"));
  cpSync(join(root, "examples/greeter"), project.join("services/greeter"), { recursive: true });
  cpSync(join(root, "apps/banyan/fixtures/clerk"), project.join("services/clerk"), {
    recursive: true,
  });
  writeFileSync(project.join("banyan.yaml"), "http:\n  port: 0\nlog: { level: warn }\n");
  return project;
}

const env = bareEnvironment();

function start(project: TemporaryDirectory, ...words: string[]): Child {
  return spawnNode(bin, words, { cwd: project.path, env });
}

async function run(project: TemporaryDirectory, ...words: string[]): Promise<Run> {
  await using child = start(project, ...words);
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

async function up(project: TemporaryDirectory, ...words: string[]): Promise<Child> {
  const child = start(project, "up", ...words);
  await child.waitForLine(/Ctrl-C stops it|"event":"ready"/, { timeoutMs: readyTimeoutMs });
  return child;
}

describe("a running node", { concurrency: 2 }, () => {
  let project: TemporaryDirectory;
  let node: Child;
  before(async () => {
    project = await makeProject();
    node = await up(project);
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    await project[Symbol.asyncDispose]();
  });

  test("says where everything is and what to try", () => {
    const { stdout } = node;
    assert.match(stdout, /^Banyan \d+\.\d+\.\d+ is ready after \d+ ms\.$/m);
    assert.match(stdout, /^L4 game-features +greeter +1\.0\.0 +running +Greets people/m);
    assert.match(stdout, /^HTTP +http:\/\/(?:localhost|127\.0\.0\.1):\d+$/m);
    assert.match(stdout, /^docs +http:.*\/docs$/m);
    assert.ok(stdout.includes(project.join(".banyan")));
    assert.match(
      stdout,
      /^curl -s -X POST http:\S+\/clerk\/file -H 'content-type: application\/json' -d /m,
    );
    assert.ok(!stdout.includes("\u001B"), "a pipe gets no colours");
  });

  test("is called with key=value, JSON or standard input", async () => {
    const pairs = await run(project, "call", "greeter", "greet", "name=Ada", "--json");
    assert.deepEqual([pairs.code, pairs.stdout], [0, '{"text":"Hello, Ada!","count":1}\n']);
    const json = await run(project, "call", "greeter", "greet", '{"name":"Ada"}');
    assert.deepEqual(JSON.parse(json.stdout), { text: "Hello, Ada!", count: 2 });
    const words = ["call", "greeter", "greet", "-", "--json"];
    await using child = spawnNode(bin, words, { cwd: project.path, env, input: '{"name":"Bob"}' });
    await child.exited;
    assert.equal(child.stdout, '{"text":"Hello, Bob!","count":1}\n');
  });

  test("answers a wrong request with the place, by the exit code of its kind", async () => {
    const empty = await run(project, "call", "greeter", "greet", "name=");
    assert.equal(empty.code, 2);
    assert.match(empty.stderr, /\/name must be a string of 1 to 64 characters/);
    assert.match(empty.stderr, /code: {2}REQUEST_INVALID/);
    const json = await run(project, "call", "greeter", "greet", "{", "--json");
    assert.equal(json.code, 2);
    const { error } = JSON.parse(json.stderr) as { error: Record<string, unknown> };
    assert.deepEqual([error["code"], error["exitCode"]], ["CLI_USAGE", 2]);
  });

  test("answers an unknown service, operation or field with the nearest one", async () => {
    const service = await run(project, "call", "greter", "greet", "name=x");
    assert.deepEqual([service.code, /"greeter"/.test(service.stderr)], [3, true]);
    const operation = await run(project, "describe", "greeter.gret");
    assert.deepEqual([operation.code, /"greet"/.test(operation.stderr)], [3, true]);
    const field = await run(project, "call", "greeter", "greet", "nme=x");
    assert.deepEqual([field.code, /Did you mean name\?/.test(field.stderr)], [2, true]);
  });

  test("calls an operation in a group, with a deadline and an idempotency key", async () => {
    const key = ["--idempotency-key", "k-1", "--json"];
    const first = await run(project, "call", "clerk", "desk.ring", ...key);
    const again = await run(project, "call", "clerk", "desk.ring", ...key);
    assert.deepEqual([first.stdout, again.stdout], ['{"rings":1}\n', '{"rings":1}\n']);
    const late = await run(project, "call", "clerk", "desk.wait", "--timeout", "100ms");
    assert.deepEqual([late.code, /CALL_DEADLINE_EXCEEDED/.test(late.stderr)], [8, true]);
  });

  test("streams one line for each frame until Ctrl-C", async () => {
    await using child = start(project, "call", "clerk", "count");
    await child.waitForLine(/^\{"n":3\}$/, { timeoutMs: readyTimeoutMs });
    child.signal("SIGINT");
    const { signal } = await child.exited;
    assert.equal(signal, "SIGINT");
    const few = await run(project, "call", "clerk", "count", "to=2");
    assert.deepEqual([few.code, few.stdout], [0, '{"n":1}\n{"n":2}\n']);
  });

  test("lists its services for people and for machines", async () => {
    const people = await run(project, "services");
    assert.match(people.stdout, /^LAYER .*\nL0 infrastructure +node /);
    const machine = JSON.parse((await run(project, "services", "--json")).stdout) as {
      node: { pid: number };
      services: { name: string; state: string }[];
    };
    assert.equal(machine.node.pid, node.pid);
    assert.deepEqual(machine.services.map(({ name, state }) => `${name} ${state}`).toSorted(), [
      "clerk running",
      "greeter running",
      "node running",
    ]);
  });

  test("describes a service and an operation", async () => {
    const service = await run(project, "describe", "greeter");
    assert.match(service.stdout, /^ {2}greet {2}POST \/greeter\/greet {2}anonymous/m);
    const operation = await run(project, "describe", "greeter.greet");
    assert.match(operation.stdout, /^ {2}name {2}string \(1 to 64 characters\)/m);
    assert.match(operation.stdout, /^ {2}banyan call greeter greet name=/m);
  });

  test("shows its configuration with where each value comes from", async () => {
    const { stdout, code } = await run(project, "config", "show", "--origin");
    assert.equal(code, 0);
    assert.match(stdout, /^http\.port +0 +banyan\.yaml:2:9$/m);
    assert.match(stdout, /^services\.greeter\.salutation +"Hello" +default$/m);
  });

  test("is found healthy by the doctor", async () => {
    const { stdout, code } = await run(project, "doctor", "--json");
    const report = JSON.parse(stdout) as { findings: { what: string; verdict: string }[] };
    const verdicts = report.findings.map(({ what, verdict }) => `${what} ${verdict}`);
    assert.ok(verdicts.includes("node ok"), verdicts.join());
    assert.equal(code, 0);
  });

  test("keeps its data directory: a second node is refused with the pid of the first", async () => {
    const second = await run(project, "up");
    assert.equal(second.code, 10);
    assert.match(second.stderr, new RegExp(`pid ${node.pid}\\b`));
    assert.match(second.stderr, /DATA_DIRECTORY_LOCKED/);
  });

  test("does not give its token to another address", async () => {
    const { code, stderr } = await run(project, "services", "--url", "http://127.0.0.1:1");
    assert.deepEqual([code, /CLI_NOT_CONNECTED/.test(stderr)], [7, true]);
  });
});

describe("the life of a node", { concurrency: 2 }, () => {
  test("a count survives kill -9, and so does the node's own record of where it was", async () => {
    await using project = await makeProject();
    await using first = await up(project, "--services", "greeter");
    await run(project, "call", "greeter", "greet", "name=Ada");
    await first.kill();
    const none = await run(project, "services");
    assert.deepEqual([none.code, /ended without a clean stop/.test(none.stderr)], [7, true]);
    await using _second = await up(project, "--services", "greeter");
    const again = await run(project, "call", "greeter", "greet", "name=Ada", "--json");
    assert.equal(again.stdout, '{"text":"Hello, Ada!","count":2}\n');
  });

  test("the first Ctrl-C drains what is in flight and exits 0", async () => {
    await using project = await makeProject();
    await using node = await up(project, "--json");
    await using call = start(project, "call", "clerk", "desk.nap", "--json");
    await node.waitForLine(/napping/, { timeoutMs: readyTimeoutMs });
    node.signal("SIGINT");
    await node.waitForLine(/"event":"draining"/);
    assert.deepEqual(await node.exited, { code: 0, signal: null });
    await call.exited;
    assert.equal(call.stdout, '{"rested":true}\n');
    assert.match(node.stdout, /"event":"stopped"/);
    assert.ok(!existsSync(project.join(".banyan/node.json")));
  });

  test("a second Ctrl-C ends it at once with 130", async () => {
    await using project = await makeProject();
    await using node = await up(project);
    await using _call = start(project, "call", "clerk", "desk.wait");
    await node.waitForLine(/waiting/, { timeoutMs: readyTimeoutMs });
    node.signal("SIGINT");
    const draining = await node.waitForLine(/draining/);
    // The first quarter of a second counts as the same key press.
    const timer = setInterval(() => node.signal("SIGINT"), 100);
    const { code } = await node.exited;
    clearInterval(timer);
    assert.equal(code, 130, draining.text);
  });

  test("Ctrl-C during a start takes back what had started and exits 0", async () => {
    await using project = await makeProject();
    const service = project.join("services/clerk/src/clerk.service.ts");
    const text = readFileSync(service, "utf8");
    const hang = "start() { console.log('hanging'); return new Promise(() => {}); }, ";
    writeFileSync(
      service,
      text.replace("return {", (head) => `${head} ${hang}`),
    );
    await using node = start(project, "up");
    await node.waitForLine(/hanging/, { timeoutMs: readyTimeoutMs });
    node.signal("SIGINT");
    assert.deepEqual(await node.exited, { code: 0, signal: null });
    assert.match(node.stderr, /SIGINT: The start was cancelled/);
    assert.doesNotMatch(node.stdout, /is ready/);
  });

  test("a node whose services are all disabled does not say that there are none", async () => {
    await using project = await makeProject();
    const off = ["greeter", "clerk"].flatMap((name) => ["--set", `services.${name}.enabled=false`]);
    await using node = await up(project, ...off);
    assert.match(node.stdout, /Every service found is disabled/);
    node.signal("SIGINT");
    await node.exited;
  });

  test("a failed start prints everything that is wrong, and starts nothing", async () => {
    await using project = await makeProject();
    writeFileSync(project.join("banyan.yaml"), "htp: 1\nservices:\n  greeter: { salutaton: x }\n");
    mkdirSync(project.join("services/odd"));
    writeFileSync(project.join("services/odd/package.json"), '{"banyan":{"service":"Odd"}}');
    const { code, stderr } = await run(project, "up", "--port", "x1");
    assert.equal(code, 10);
    for (const expected of [
      /banyan\.yaml:1:6: .*"htp"[^]*Did you mean http\?/,
      /banyan\.yaml:3:25: .*"salutaton"[^]*salutation/,
      /--port: .*http\.port/,
      /services\/odd\/package\.json#\/banyan\/service: "Odd"/,
    ]) {
      assert.match(stderr, expected);
    }
    assert.ok(!existsSync(project.join(".banyan")));
  });

  test("--watch starts again after an edit, also after one that was broken", async () => {
    await using project = await makeProject();
    await using node = start(project, "up", "--watch", "--services", "greeter");
    const ready = /Ctrl-C stops it/;
    const first = await node.waitForLine(ready, { timeoutMs: readyTimeoutMs });
    const contract = project.join("services/greeter/src/greeter.contract.ts");
    const text = readFileSync(contract, "utf8");
    writeFileSync(contract, text.replace("1.0.0", "one"));
    await node.waitForLine(/waiting for a change/, { timeoutMs: readyTimeoutMs });
    writeFileSync(contract, text.replace("1.0.0", "1.2.3"));
    await node.waitForLine(/greeter +1\.2\.3 +running/, { timeoutMs: readyTimeoutMs });
    await node.waitForLine(ready, { timeoutMs: readyTimeoutMs, from: first.index + 1 });
    node.signal("SIGINT");
    assert.deepEqual(await node.exited, { code: 0, signal: null });
  });
});

describe("without a node", { concurrency: 2 }, () => {
  test("a call says that none runs and how to start one", async () => {
    await using project = await makeProject();
    const { code, stderr, stdout } = await run(project, "call", "greeter", "greet", "name=x");
    assert.deepEqual([code, stdout], [7, ""]);
    assert.match(
      stderr,
      /^error: No node runs here\.\n {2}where: .*\n {2}fix: +Start one with `banyan up`/,
    );
  });

  test("--version prints the version alone, and loads nothing", async () => {
    await using project = await makeProject();
    const { code, stdout, stderr } = await run(project, "--version");
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("the first word of several verbs shows their help, and alone it is refused", async () => {
    await using project = await makeProject();
    const help = await run(project, "backup", "--help");
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /backup create[^]*backup verify[^]*backup restore/);
    const bare = await run(project, "backup");
    assert.deepEqual([bare.code, /: create, verify, restore\./.test(bare.stderr)], [2, true]);
  });

  test("configuration is validated, shown and documented", async () => {
    await using project = await makeProject();
    const valid = await run(project, "config", "validate");
    assert.deepEqual([valid.code, valid.stdout.startsWith("valid: 2 services")], [0, true]);
    const shown = await run(project, "config", "show", "--set", "services.greeter.salutation=Ahoy");
    assert.match(shown.stdout, /^services\.greeter\.salutation +"Ahoy"$/m);
    const docs = await run(project, "config", "docs", "--schema");
    const schema = JSON.parse(docs.stdout) as { properties: Record<string, unknown> };
    assert.ok("http" in schema.properties && "services" in schema.properties);
  });

  test("exported contracts are checked for drift, with the first line that differs", async () => {
    await using project = await makeProject();
    const written = await run(project, "contract", "export");
    assert.equal(written.code, 0, written.stderr);
    assert.equal((await run(project, "contract", "export", "--check")).code, 0);
    const file = project.join("contracts/openapi.json");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace("Greet one person", "Greet two persons"),
    );
    const drift = await run(project, "contract", "export", "--check");
    assert.deepEqual([drift.code, /CLI_CONTRACT_DRIFT/.test(drift.stderr)], [10, true]);
    assert.match(drift.stderr, /openapi\.json: line \d+ is .*two persons/);
  });

  test("a new service works as written, and is never overwritten", async () => {
    await using project = await makeProject();
    const made = await run(project, "new", "service", "game-night", "--json");
    assert.equal(made.code, 0, made.stderr);
    const folder = project.join("services/game-night");
    await using suite = spawnNode("--test", ["src/game-night.test.ts"], {
      cwd: folder,
      execArgv: ["--conditions=source"],
    });
    assert.deepEqual(await suite.exited, { code: 0, signal: null }, suite.stdout);
    assert.match(suite.stdout, /pass 2/);
    assert.equal((await run(project, "config", "validate", "--services", "game-night")).code, 0);
    assert.equal((await run(project, "new", "service", "game-night")).code, 4);
    assert.equal((await run(project, "new", "service", "Game Night")).code, 2);
  });

  test("the scorecard shows each area, and each promise of one", async () => {
    await using project = await makeProject();
    const all = await run(project, "readiness");
    assert.match(all.stdout, /^AREA +KEPT +PARTLY +NOT YET$/m);
    assert.match((await run(project, "readiness", "workshop")).stdout, /target: .*; today: /);
    assert.equal((await run(project, "readiness", "workshp")).code, 2);
  });
});
