/** A node whose servers are down when it starts: it waits, says so, and ends in words. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import {
  bareEnvironment,
  findReasonToSkip,
  freePort,
  openPostgres,
  openRedisServer,
  postgresPrograms,
  redisPrograms,
  spawnNode,
  temporaryDirectory,
  until,
} from "@banyan/testbed";
import type { Child, TemporaryDirectory } from "@banyan/testbed";

const bin = fileURLToPath(new URL("../bin/banyan.js", import.meta.url));
const greeter = fileURLToPath(new URL("../../../examples/greeter", import.meta.url));
const pantry = fileURLToPath(new URL("../fixtures/pantry", import.meta.url));
const onPostgres = { skip: await findReasonToSkip(postgresPrograms) };
const onRedis = { skip: await findReasonToSkip(redisPrograms) };
const patient = { timeoutMs: 60_000 };
const secret = "hunter2";

const env = bareEnvironment();

function up(project: TemporaryDirectory, settings: object): Child {
  const configuration = { discover: [greeter, pantry], ...settings };
  writeFileSync(project.join("banyan.yaml"), JSON.stringify(configuration));
  return spawnNode(bin, ["up"], { cwd: project.path, env });
}

/** Lines of the wait so far, as the log has them. */
function waitsOf(node: Child): Record<string, unknown>[] {
  return node.stderr
    .split("\n")
    .filter((line) => line.includes("waiting for the engine's server"))
    .map((line) => JSON.parse(line));
}

interface Settings {
  readonly http: { readonly port: number };
  readonly engines: object;
  readonly [section: string]: object;
}

/** Alive, not ready, and why; nothing of where the server is. */
async function answersWaiting({ http }: Settings): Promise<void> {
  const base = `http://localhost:${http.port}`;
  // The port is opened by the wait itself: a moment after it is told.
  const answers = (): Promise<boolean> =>
    fetch(`${base}/healthz`).then(
      () => true,
      () => false,
    );
  await until(answers, { what: "The port answers", ...patient });
  const alive = await fetch(`${base}/healthz`);
  assert.deepEqual([alive.status, await alive.json()], [200, { status: "ok", phase: "starting" }]);
  const readiness = await fetch(`${base}/readyz`);
  const text = await readiness.text();
  assert.equal(readiness.status, 503);
  assert.match(text, /"state:(postgres|redis)":\{"state":"unhealthy","reason":"its server is not/);
  assert.doesNotMatch(text, /127\.0\.0\.1|ECONNREFUSED/);
  const call = await fetch(`${base}/greeter/greet`, { method: "POST", body: "{}" });
  assert.equal(call.status, 503);
  assert.match(await call.text(), /NODE_STARTING/);
}

async function startsLate(
  server: { start(): Promise<void>; kill(): Promise<unknown> },
  settings: Settings,
): Promise<void> {
  await using project = await temporaryDirectory("late");
  await server.kill();
  await using node = up(project, settings);
  // Said more than once, with growing pauses.
  await node.waitForLine(/waiting for the engine's server.*"waitedMs":[1-9]/, patient);
  await answersWaiting(settings);
  await server.start();
  await node.waitForLine(/Ctrl-C stops it|"event":"ready"/, patient);
  assert.equal((await fetch(`http://localhost:${settings.http.port}/readyz`)).status, 200);
  for (const { reason, at, error } of waitsOf(node)) {
    assert.match(String(reason), /ECONNREFUSED/);
    assert.match(String(at), /127\.0\.0\.1:\d+/);
    assert.equal(error, undefined, "a stack is shown");
  }
}

test("a node waits for a PostgreSQL that starts after it", onPostgres, async () => {
  await using postgres = await openPostgres();
  await startsLate(postgres, {
    http: { port: await freePort() },
    engines: { durable: "postgres" },
    postgres: { url: postgres.url, connectTimeoutMs: 60_000 },
  });
});

test("a node waits for a Redis that starts after it", onRedis, async () => {
  await using redis = await openRedisServer({ listen: "tcp" });
  await startsLate(redis, {
    http: { port: await freePort() },
    engines: { ephemeral: "redis" },
    redis: { url: redis.url, connectTimeoutMs: 60_000 },
  });
});

test("a node whose PostgreSQL never comes ends in words, with the setting", async () => {
  await using project = await temporaryDirectory("never");
  const nobody = await freePort();
  await using node = up(project, {
    http: { port: await freePort() },
    engines: { durable: "postgres" },
    postgres: { url: `postgres://ada:${secret}@127.0.0.1:${nobody}/shop`, connectTimeoutMs: 3000 },
  });
  const { code } = await node.exited;
  assert.equal(code, 7);
  assert.ok(waitsOf(node).length >= 2, "the wait is said once only");
  const words = node.stderr;
  assert.match(words, new RegExp(`PostgreSQL at 127\\.0\\.0\\.1:${nobody}/shop did not answer`));
  assert.match(words, /fix: {3}Start the server, or let .* longer.*: postgres\.connectTimeoutMs\./);
  assert.doesNotMatch(words, /\bat .*\.ts:\d+|node:internal/, "a stack is shown");
  assert.ok(!words.includes(secret), "a secret is shown");
});

test("Ctrl-C ends the wait for a server at once", async () => {
  await using project = await temporaryDirectory("cancelled");
  const nobody = await freePort();
  await using node = up(project, {
    http: { port: await freePort() },
    engines: { durable: "postgres" },
    postgres: { port: nobody, connectTimeoutMs: 600_000 },
  });
  await node.waitForLine(/waiting for the engine's server/, patient);
  node.signal("SIGINT");
  assert.equal((await node.exited).code, 0);
});
