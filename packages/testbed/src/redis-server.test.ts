import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { spawnProgram } from "./child.ts";
import type { Child } from "./child.ts";
import { askRedis } from "./redis-command.ts";
import { findRedisProgram, redisPrograms } from "./redis-program.ts";
import { openRedisServer } from "./redis-server.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { createTestCertificates, opensslPrograms } from "./test-certificates.ts";

// Without one, and where none may be installed, these are skipped with the words that say why.
const reason = await findReasonToSkip(redisPrograms);
const redisTest = { skip: reason };
const secureTest = { skip: reason || (await findReasonToSkip(opensslPrograms)) };
const durable = { appendonly: "yes", appendfsync: "always" };

test("a private Redis takes commands on its own socket", redisTest, async () => {
  await using redis = await openRedisServer();
  assert.equal(await redis.ask("PING"), "PONG");
  assert.equal(await redis.ask("SET", "name", "Ada Lövelace"), "OK");
  assert.equal(await redis.ask("GET", "name"), "Ada Lövelace");
  assert.equal(await redis.ask("GET", "nobody"), null);
  assert.equal(await redis.ask("RPUSH", "list", "a", "", "c"), 3);
  assert.deepEqual(await redis.ask("LRANGE", "list", "0", "-1"), ["a", "", "c"]);
  await assert.rejects(redis.ask("INCR", "name"), /not an integer/);
  assert.match(redis.url, /^unix:\/\/\/.*redis\.sock$/);
  assert.match(redis.output, /ready to accept/i);
});

test("two at once do not know each other, on ports as on sockets", redisTest, async () => {
  await using first = await openRedisServer({ listen: "tcp" });
  await using second = await openRedisServer({ listen: "tcp" });
  assert.notEqual(first.url, second.url);
  assert.match(first.url, /^redis:\/\/127\.0\.0\.1:\d+$/);
  await first.ask("SET", "mine", "1");
  assert.equal(await second.ask("GET", "mine"), null);
});

test("what was acknowledged with appendfsync always is there after a kill", redisTest, async () => {
  await using redis = await openRedisServer({ config: durable });
  const { pid, url } = redis;
  await redis.ask("SET", "kept", "yes");
  assert.deepEqual(await redis.kill(), { code: null, signal: "SIGKILL" });
  assert.equal(redis.isRunning, false);
  assert.throws(() => redis.pid, /does not run/);
  await assert.rejects(redis.ask("PING"));
  await redis.start();
  assert.notEqual(redis.pid, pid);
  assert.equal(redis.url, url);
  assert.equal(await redis.ask("GET", "kept"), "yes");
  await assert.rejects(redis.start(), /runs already/);
});

test("with Redis's own defaults a kill loses what a polite stop writes", redisTest, async () => {
  await using redis = await openRedisServer();
  await redis.ask("SET", "kept", "yes");
  await redis.restart();
  assert.equal(await redis.ask("GET", "kept"), "yes");
  await redis.ask("SET", "lost", "yes");
  await redis.restart({ kill: true });
  assert.equal(await redis.ask("GET", "lost"), null);
  assert.equal(await redis.ask("GET", "kept"), "yes");
});

test("a paused Redis answers nothing until it is resumed", redisTest, async () => {
  await using redis = await openRedisServer();
  redis.pause();
  let isAnswered = false;
  const answer = redis.ask("PING").then((text) => {
    isAnswered = true;
    return text;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isAnswered, false);
  redis.resume();
  assert.equal(await answer, "PONG");
  redis.pause();
  assert.deepEqual(await redis.stop(), { code: 0, signal: null });
});

test("a directive that Redis refuses is an error with its words", redisTest, async () => {
  await assert.rejects(openRedisServer({ config: { maxmemory: "much" } }), /maxmemory/);
  await assert.rejects(openRedisServer({ config: { dir: "/" } }), /"dir" is the testbed's own/);
});

test("the end of the scope leaves neither process nor folder", redisTest, async () => {
  let folder = "";
  let pid = 0;
  {
    await using redis = await openRedisServer();
    folder = redis.directory;
    pid = redis.pid;
    assert.ok(existsSync(folder));
  }
  assert.equal(existsSync(folder), false);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("a replica follows, survives its primary, and takes its place", redisTest, async () => {
  await using primary = await openRedisServer({ listen: "tcp", config: durable });
  await primary.ask("SET", "early", "1");
  await using replica = await openRedisServer({ replicaOf: primary });
  assert.equal(await replica.ask("GET", "early"), "1");
  await primary.ask("SET", "late", "2");
  await replica.untilCaughtUp();
  assert.equal(await replica.ask("GET", "late"), "2");
  await assert.rejects(replica.ask("SET", "mine", "3"), /READONLY/);
  await primary.kill();
  await replica.promote();
  assert.equal(await replica.ask("SET", "mine", "3"), "OK");
  await replica.restart();
  assert.equal(await replica.ask("GET", "mine"), "3");
  assert.equal(await replica.ask("GET", "late"), "2");
  await assert.rejects(replica.untilCaughtUp(), /no replica/);
  await using alone = await openRedisServer();
  await assert.rejects(openRedisServer({ replicaOf: alone }), /must `listen: "tcp"`/);
});

test("over TLS it is itself to those who know its authority", secureTest, async () => {
  await using certificates = await createTestCertificates();
  const tls = { ...certificates, requireClientCertificate: true };
  await using redis = await openRedisServer({ tls });
  await using replica = await openRedisServer({ tls, replicaOf: redis });
  const { address } = redis;
  assert.match(redis.url, /^rediss:\/\/127\.0\.0\.1:\d+$/);
  assert.ok("port" in address);
  const text = (path: string): string => readFileSync(path, "utf8");
  const [ca, foreignCa] = [text(certificates.ca), text(certificates.foreignCa)];
  const client = {
    cert: text(certificates.client.certificate),
    key: text(certificates.client.key),
  };
  const set = ["SET", "name", "Ada"];
  assert.equal(await askRedis({ ...address, tls: { ca, ...client } }, set), "OK");
  await replica.untilCaughtUp();
  assert.equal(await replica.ask("GET", "name"), "Ada");
  await assert.rejects(askRedis({ ...address, tls: { ca: foreignCa, ...client } }, set), {
    code: /SELF_SIGNED|UNABLE_TO/,
  });
  await assert.rejects(askRedis({ ...address, tls: { ca } }, set));
  await assert.rejects(askRedis(address, set));
  await assert.rejects(openRedisServer({ replicaOf: redis }), /needs `tls` too/);
});

test("without a redis-server the error says what is missing and how to get it", async () => {
  const module = new URL("redis-program.ts", import.meta.url).href;
  const code = `
    import { ensureRedisProgram } from ${JSON.stringify(module)};
    await ensureRedisProgram().catch((error) => console.log(error.message));`;
  const run = (env: Record<string, string>): Child =>
    spawnProgram(process.execPath, ["--conditions=source", "--input-type=module", "-e", code], {
      env,
    });
  await using child = run({ PATH: "/nowhere", BANYAN_TEST_INSTALL: "0" });
  await child.waitForLine(/redis-server .*on the PATH.*INSTALL=0.*apt-get install redis-server/);
  await using other = run({ PATH: "/nowhere" });
  await other.waitForLine(/this system has no apt-get/);
  assert.equal(typeof findRedisProgram(), reason === false ? "string" : "undefined");
});
