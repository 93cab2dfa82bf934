import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  findReasonToSkip,
  findRedisProgram,
  natsPrograms,
  opensslPrograms,
  postgresPrograms,
  rabbitmqPrograms,
  redisPrograms,
  spawnNode,
  temporaryDirectory,
} from "@banyan/testbed";
import { formatFigure } from "./figure.ts";
import { parseResult } from "./result.ts";
import { openSubject } from "./subject-process.ts";

const main = join(import.meta.dirname, "main.ts");
const serversTest = {
  skip: (await findReasonToSkip(redisPrograms)) || (await findReasonToSkip(postgresPrograms)),
};
const brokersTest = {
  skip: (await findReasonToSkip(rabbitmqPrograms)) || (await findReasonToSkip(redisPrograms)),
};
const natsTest = {
  skip: (await findReasonToSkip(natsPrograms)) || (await findReasonToSkip(opensslPrograms)),
};
const flags = { execArgv: ["--conditions=source", "--disable-warning=ExperimentalWarning"] };

/** Runs an area as a smoke run on the sources; the names of the cases that promise something. */
async function promisedBy(area: string): Promise<string[]> {
  await using folder = await temporaryDirectory("bench");
  const out = folder.join("result.json");
  await using run = spawnNode(main, [area, "--quick", "--from-source", "--out", out], flags);
  assert.deepEqual(await run.exited, { code: 0, signal: null }, run.stderr);
  const result = parseResult(JSON.parse(await readFile(out, "utf8")));
  for (const { name } of result.cases) assert.ok(run.stdout.includes(name), name);
  return result.cases.filter(({ target }) => target !== null).map(({ name }) => name);
}

test("a quick run of trunk measures every case and writes the shared form", async () => {
  assert.deepEqual(await promisedBy("trunk"), [
    "in-process call, unvalidated, 1 in flight",
    "in-process call, validated, 1 in flight",
    "in-process call, unvalidated, 64 in flight",
    "in-process call, validated, 64 in flight",
    "HTTP echo, 64 connections",
    "cold start to ready",
    "idle memory, 2 s after ready",
    "banyan --version",
  ]);
});

test("a quick run of embedded does too, with BullMQ where there is a Redis", async () => {
  const promised = await promisedBy("embedded");
  const queue = "durable publish, one group, handled, 256 in flight";
  const [asItComes, durable] = promised.filter((name) => /BullMQ/.test(name));
  assert.equal(typeof asItComes, findRedisProgram() === undefined ? "undefined" : "string");
  assert.deepEqual(
    promised,
    [
      "publish in process, not durable, to one subscriber, 1 in flight",
      "publish in process, not durable, to one subscriber, 64 in flight",
      "durable get, 5 000 keys, 1 in flight",
      "durable set, 5 000 keys, 64 in flight",
      "durable set, 5 000 keys, 64 in flight, beside a commit each",
      "durable set, 5 000 keys, 64 in flight, p99 of the event loop's delay",
      "greet, 64 connections",
      queue,
      asItComes,
      durable,
      "1 M records, 200 000 random gets: memory after them",
      "1 M records, 200 000 random gets: p99",
      "durable set, 1 M keys, 64 in flight",
      "durable set, 1 M keys, 64 in flight, beside a commit each",
      "durable set, 1 M keys, 64 in flight, p99 of the event loop's delay",
    ].filter((name) => name !== undefined),
  );
});

test("a quick run of state does too, where there are servers", serversTest, async () => {
  const crowd = "start of a node, 54 services, 107 stores, PostgreSQL and Redis";
  assert.deepEqual(await promisedBy("state"), [
    "memory get, 5 000 keys, 1 in flight",
    ...besidePeers("memory", 1),
    "redis get, 5 000 keys, 64 in flight",
    "redis get, 5 000 keys, 512 in flight",
    "redis set, 5 000 keys, 64 in flight",
    "redis set, 5 000 keys, 512 in flight",
    "redis conditional set, 5 000 keys, 64 in flight",
    "redis conditional set, 5 000 keys, 512 in flight",
    ...besidePeers("redis", 64),
    ...besidePeers("redis", 512),
    crowd,
    `${crowd}, no tables yet`,
  ]);
});

function besidePeers(what: string, inFlight: number): string[] {
  return ["get", "set", "has", "set and delete"].map((operation) => {
    return `${what} ${operation}, 5 000 keys, ${inFlight} in flight, beside unstorage and Keyv`;
  });
}

test("a quick run of messaging does too, where there are servers", brokersTest, async () => {
  const nest = "beside NestJS RMQ, persistent, noAck: false";
  const bullmq = "beside BullMQ, Redis with appendfsync always";
  const promised = ["quorum queue", "classic queue"].map((queue) => ({
    publish: ["", `, ${nest}`, `, ${bullmq}`].map((beside) => {
      return `publish, confirmed, ${queue}, 64 in flight${beside}`;
    }),
    consume: ["", `, ${bullmq}`].map((beside) => {
      return `consume a backlog, ${queue}, 100 at once${beside}`;
    }),
    rate: [`publish to handled, ${queue}, 64 in flight, ${bullmq}`],
    latency: [`publish to handled, ${queue}, one at a time, p50, ${bullmq}`],
  }));
  const wanted = (["publish", "consume", "rate", "latency"] as const).flatMap((work) => {
    return promised.flatMap((each) => each[work]);
  });
  assert.deepEqual(await promisedBy("messaging"), wanted);
});

test("a quick run of mesh does too, where there is a NATS", natsTest, async () => {
  const calls = ["120 B", "1 KB", "10 KB"].flatMap((size) => {
    const names = ["64 in flight", "one at a time, p50"].map((how) => `call, ${size}, ${how}`);
    return names.flatMap((name) => [name, `${name}, beside the fastest peer`]);
  });
  assert.deepEqual(await promisedBy("mesh"), [
    ...calls,
    "10 000 calls at once: answered",
    "stream of 120 B frames, 0 ahead",
    "stream of 120 B frames, 1024 ahead",
  ]);
});

test("an unknown area is refused with the known ones", async () => {
  await using run = spawnNode(main, ["trunks"], flags);
  assert.equal((await run.exited).code, 2);
  assert.match(run.stderr, /areas: trunk, embedded, telemetry, sql, messaging, mesh, state/);
});

test("a subject that cannot answer is named, and so is one that is gone", async () => {
  const file = new URL("trunk/call-direct.bench.ts", import.meta.url);
  await using subject = await openSubject(file, { fromSource: true });
  await assert.rejects(subject.ask("nonsense", {}), /call-direct.*no measure "nonsense"/s);
  await assert.rejects(subject.ask("calls", {}), /lacks the number/);
  await subject[Symbol.asyncDispose]();
  await assert.rejects(subject.ask("calls", {}), /gone/);
});

test("figures are told in three digits", () => {
  const told = [1_234_567, 999_600, 45_678, 1523.4, 12.34, 0.0123].map(formatFigure);
  assert.deepEqual(told, ["1.23 M", "1 M", "45.7 k", "1523", "12.3", "0.0123"]);
});
