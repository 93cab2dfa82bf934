/** A node on servers, by configuration alone: the same example, the same calls. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import {
  bareEnvironment,
  findReasonToSkip,
  freePort,
  mariadbPrograms,
  openMariadb,
  openPostgres,
  openRedisServer,
  postgresPrograms,
  redisPrograms,
  spawnNode,
  temporaryDirectory,
} from "@banyan/testbed";
import type { Child } from "@banyan/testbed";

const bin = fileURLToPath(new URL("../bin/banyan.js", import.meta.url));
const greeter = fileURLToPath(new URL("../../../examples/greeter", import.meta.url));
const redisMissing = await findReasonToSkip(redisPrograms);
const onPostgres = { skip: redisMissing || (await findReasonToSkip(postgresPrograms)) };
const onMariadb = { skip: redisMissing || (await findReasonToSkip(mariadbPrograms)) };
const ready = { timeoutMs: 60_000 };

const env = bareEnvironment();

interface Place {
  readonly durable: string;
  readonly section: Readonly<Record<string, unknown>>;
}

async function greetTwice(place: Place, redisUrl: string): Promise<void> {
  await using project = await temporaryDirectory("networked");
  const port = await freePort();
  const configuration = {
    http: { port },
    discover: [greeter],
    engines: { durable: place.durable, ephemeral: "redis" },
    [place.durable]: place.section,
    redis: { url: redisUrl },
  };
  writeFileSync(project.join("banyan.yaml"), JSON.stringify(configuration));
  const run = (...words: string[]): Child => spawnNode(bin, words, { cwd: project.path, env });
  for (const expected of [1, 2]) {
    await using node = run("up");
    await node.waitForLine(/Ctrl-C stops it|"event":"ready"/, ready);
    await using call = run("call", "greeter", "greet", "name=Ada", "--json");
    const { match } = await call.waitForLine(/"count": ?(\d+)/, ready);
    assert.equal(Number(match[1]), expected);
    await using show = run("config", "show", "--json");
    await show.exited;
    const secrets = [redisUrl, place.section["url"]];
    const shown = secrets.filter((each) => show.stdout.includes(JSON.stringify(each ?? "-none-")));
    assert.deepEqual(shown, [], "a secret is shown");
    await node.kill();
  }
}

test("the greeter counts on where it stopped, on PostgreSQL and Redis", onPostgres, async () => {
  await using postgres = await openPostgres();
  await using redis = await openRedisServer({ listen: "tcp" });
  await greetTwice({ durable: "postgres", section: { url: postgres.url } }, redis.url);
});

test("the greeter counts on where it stopped, on MariaDB and Redis", onMariadb, async () => {
  await using mariadb = await openMariadb();
  await using redis = await openRedisServer({ listen: "tcp" });
  const { host, port, user, password, database } = mariadb;
  await greetTwice(
    { durable: "mysql", section: { host, port, user, password, database } },
    redis.url,
  );
});
