/** What is wrong in an engine's section is found without a start, and told with its place. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { checkNode } from "@banyan/host";
import type { NodeCheck } from "@banyan/host";
import { resolveMysqlOptions } from "@banyan/mysql";
import { resolvePostgresOptions } from "@banyan/postgres";
import { resolveRabbitmqOptions } from "@banyan/rabbitmq";
import { bareEnvironment, spawnNode, temporaryDirectory } from "@banyan/testbed";
import { createEngineFinder } from "./engines.ts";

const bin = fileURLToPath(new URL("../bin/banyan.js", import.meta.url));
const env = bareEnvironment();
const secret = "hunter2";
const nothing = "/no/such/ca.pem";

function check(name: string, section: object): Promise<NodeCheck> {
  const engines = name === "rabbitmq" ? { bus: name } : { durable: name, ephemeral: name };
  const tree = { engines, [name]: section };
  return checkNode({
    services: [],
    findEngine: createEngineFinder(process.cwd()),
    config: { files: [{ name: "banyan.yaml", tree, locate: () => ({ line: 7, column: 3 }) }] },
  });
}

async function placesOf(name: string, section: object): Promise<string[]> {
  const { problems } = await check(name, section);
  for (const { message, fix = "" } of problems) {
    assert.match(message, /^banyan\.yaml:7:3: /);
    assert.ok(!`${message} ${fix}`.includes(secret), "a secret is shown");
  }
  return problems.map(({ pointer }) => pointer);
}

const wrong: readonly (readonly [engine: string, section: object, ...places: string[]])[] = [
  ["postgres", { url: `mysql://ada:${secret}@db/shop` }, "/postgres/url"],
  ["postgres", { url: `postgres://ada:${secret}@db/shop?sslmode=require` }, "/postgres/url"],
  ["postgres", { schema: "Banyan" }, "/postgres/schema"],
  ["postgres", { tablePrefix: "Banyan_" }, "/postgres/tablePrefix"],
  ["postgres", { tls: { ca: nothing } }, "/postgres/tls/ca"],
  ["postgres", { tls: { certificate: import.meta.filename } }, "/postgres/tls/key"],
  ["mysql", { url: `postgres://ada:${secret}@db/shop` }, "/mysql/url"],
  ["mysql", { tablePrefix: "1_" }, "/mysql/tablePrefix"],
  ["mysql", { tls: { ca: nothing, serverName: "db" } }, "/mysql/tls/ca"],
  ["redis", { url: `http://ada:${secret}@cache` }, "/redis/url"],
  ["redis", { url: "redis://cache/shop" }, "/redis/url"],
  ["redis", { url: "redis://cache", cluster: ["a:6379"] }, "/redis/url"],
  ["redis", { database: 1, cluster: ["a:6379"] }, "/redis/database"],
  ["redis", { tls: { ca: nothing } }, "/redis/tls/ca"],
  ["rabbitmq", { url: `http://ada:${secret}@broker` }, "/rabbitmq/url"],
  ["rabbitmq", { url: `amqp://ada:${secret}@broker?heartbeat=3` }, "/rabbitmq/url"],
  ["rabbitmq", { hosts: [] }, "/rabbitmq/hosts"],
  ["rabbitmq", { password: 7 }, "/rabbitmq/password"],
  ["rabbitmq", { tls: { ca: nothing } }, "/rabbitmq/tls/ca"],
  ["rabbitmq", { tls: { certificate: import.meta.filename } }, "/rabbitmq/tls/key"],
  ["rabbitmq", { namespace: "a.b" }, "/rabbitmq/namespace"],
  ["rabbitmq", { queueType: "stream" }, "/rabbitmq/queueType"],
  ["rabbitmq", { format: "structured" }, "/rabbitmq/format"],
  ["rabbitmq", { deadLettersMaxAgeMs: 999 }, "/rabbitmq/deadLettersMaxAgeMs"],
  ["rabbitmq", { partitions: 65, bufferMax: 0 }, "/rabbitmq/bufferMax", "/rabbitmq/partitions"],
  ["rabbitmq", { prefetch: 10 }, "/rabbitmq/prefetch"],
];

for (const [engine, section, ...places] of wrong) {
  const shown = text(section)
    .replaceAll(secret, "…")
    .replaceAll(import.meta.filename, "a.pem");
  test(`${engine} with ${shown} is refused before a start, by its place`, async () => {
    assert.deepEqual(await placesOf(engine, section), places);
  });
}

test("what is right stays right", async () => {
  const ca = import.meta.filename;
  const right: readonly (readonly [engine: string, section: object])[] = [
    ["postgres", { url: "postgres://db" }],
    ["postgres", { url: "postgresql://ada:x@[::1]:5432/shop", schema: "a_1", tablePrefix: "" }],
    ["postgres", { tls: { ca, serverName: nothing } }],
    ["mysql", { url: "mariadb://db", tablePrefix: "shop_" }],
    ["mysql", { url: "mysql://ada:x@db:3306/shop", tls: true }],
    ["redis", { url: "redis://cache" }],
    ["redis", { url: "rediss://:x@cache:6380/3", tls: { ca } }],
    ["redis", { url: "unix:///run/redis.sock", database: 2 }],
    ["redis", { cluster: ["a:6379"] }],
    ["rabbitmq", { url: "amqp://broker" }],
    ["rabbitmq", { url: "amqps://ada:x@[::1]:5671/shop", hosts: ["a", "b:5672"] }],
    ["rabbitmq", { url: "amqp://broker/%2F", tls: { ca, serverName: nothing } }],
    ["rabbitmq", { queueType: "classic", format: "cloudevents", deadLettersMaxAgeMs: 604_800_000 }],
  ];
  for (const [engine, section] of right) assert.deepEqual(await placesOf(engine, section), []);
});

test("the sections take the names and addresses that the engines take", async () => {
  const names = ["a", "_", "a1_", "A", "aB", "1a", "a-b", "a b", "x".repeat(32), "x".repeat(33)];
  const urls = ["postgres://h", "postgresql://h/d", "mysql://h", "mariadb://h/d", "redis://h", "h"];
  const brokers = ["amqp://h", "amqps://h:1/v", "amqp://h#a", "amqp://h?a=b", "amqp:h", ...urls];
  const sections = [
    ...names.flatMap((name) => [{ schema: name }, { tablePrefix: name }]),
    ...urls.map((url) => ({ url })),
  ];
  for (const section of sections) {
    const isTaken = takes(() => resolvePostgresOptions(section));
    assert.equal((await placesOf("postgres", section)).length === 0, isTaken, text(section));
    if ("schema" in section) continue;
    const isTakenToo = takes(() => resolveMysqlOptions(section));
    assert.equal((await placesOf("mysql", section)).length === 0, isTakenToo, text(section));
  }
  const ofBus = [...names.map((namespace) => ({ namespace })), ...brokers.map((url) => ({ url }))];
  for (const section of ofBus) {
    const isTaken = takes(() => resolveRabbitmqOptions(section));
    assert.equal((await placesOf("rabbitmq", section)).length === 0, isTaken, text(section));
  }
});

test("config validate, doctor and up name the file that a section wants", async () => {
  await using project = await temporaryDirectory("sections");
  writeFileSync(
    project.join("banyan.yaml"),
    JSON.stringify({ engines: { ephemeral: "redis" }, redis: { tls: { ca: nothing } } }),
  );
  for (const words of [["config", "validate"], ["doctor"], ["up"]]) {
    await using run = spawnNode(bin, words, { cwd: project.path, env });
    const { code } = await run.exited;
    assert.notEqual(code, 0, words.join(" "));
    const said = run.stdout + run.stderr;
    assert.match(said, /banyan\.yaml:1:\d+: redis\.tls\.ca names \/no\/such\/ca\.pem/);
  }
});

function takes(resolve: () => unknown): boolean {
  try {
    resolve();
    return true;
  } catch {
    return false;
  }
}

function text(section: object): string {
  return JSON.stringify(section);
}
