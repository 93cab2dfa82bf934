import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { spawnProgram } from "./child.ts";
import { postgresPrograms } from "./postgres-data.ts";
import { openPostgres } from "./postgres-server.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { findDescendants, findRunning } from "./process-tree.ts";
import { ensurePrograms, findReasonToSkip } from "./required-programs.ts";
import { createTestCertificates, opensslPrograms } from "./test-certificates.ts";
import { until } from "./until.ts";

const reason = await findReasonToSkip(postgresPrograms);
const postgresTest = { skip: reason };
const secureTest = { skip: reason || (await findReasonToSkip(opensslPrograms)) };

/** What a client on the port gets, who it says it is; rejects with the client's words. */
async function connect(url: string, settings: Record<string, string> = {}): Promise<string> {
  const { psql } = await ensurePrograms(postgresPrograms);
  const target = new URL(url);
  for (const [name, value] of Object.entries(settings)) target.searchParams.set(name, value);
  await using child = spawnProgram(psql, ["-X", "-A", "-t", "-c", "SELECT user", target.href]);
  const { code } = await child.exited;
  if (code !== 0) throw new Error(child.stderr);
  return child.stdout.trim();
}

test("a private PostgreSQL answers by its socket and on its port", postgresTest, async () => {
  await using postgres = await openPostgres({ config: { max_connections: "7" } });
  const made =
    "CREATE TABLE names (id int, name text); INSERT INTO names VALUES (1, 'Ada'), (2, NULL)";
  assert.equal(await postgres.ask(made), "");
  assert.equal(await postgres.ask("SELECT * FROM names ORDER BY id"), "1|Ada\n2|");
  assert.equal(await postgres.ask("SHOW max_connections"), "7");
  assert.equal(await postgres.ask("SHOW fsync"), "on");
  assert.equal(await postgres.ask("SELECT user", { superuser: true }), "postgres");
  await assert.rejects(postgres.ask("SELECT * FROM nobody"), /"nobody" does not exist/);
  assert.match(postgres.url, /^postgres:\/\/banyan:banyan@127\.0\.0\.1:\d+\/banyan$/);
  assert.equal(await connect(postgres.url), "banyan");
  await assert.rejects(
    connect(postgres.url.replace(":banyan@", ":wrong@")),
    /authentication failed/,
  );
  const own = openPostgres({ config: { port: "1" } });
  await assert.rejects(own, /"port" is the testbed's own/);
  const refused = openPostgres({ config: { shared_buffers: "much" } });
  await assert.rejects(refused, /shared_buffers.*much/);
});

test("it sorts text as people do, unless bytes are asked for", postgresTest, async () => {
  await using postgres = await openPostgres();
  assert.equal(await postgres.ask(`SELECT 'a' < 'B', 'a' < 'B' COLLATE "C"`), "t|f");
});

test(
  "what was committed is there after a kill, of which nothing is left",
  postgresTest,
  async () => {
    await using postgres = await openPostgres();
    await postgres.ask("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    const busy = postgres.ask("SELECT count(*) FROM generate_series(1, 1e12)");
    const work = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%1e12%'";
    await until(async () => Number(await postgres.ask(work)) >= 2, { what: "The long query" });
    const { pid, url } = postgres;
    const pids = [pid, ...findDescendants(pid)];
    assert.ok(pids.length > 3);
    await Promise.all([postgres.kill(), assert.rejects(busy, /closed the connection/)]);
    assert.deepEqual(findRunning(pids), []);
    await assert.rejects(postgres.ask("SELECT 1"));
    await postgres.start();
    assert.notEqual(postgres.pid, pid);
    assert.equal(postgres.url, url);
    assert.equal(await postgres.ask("SELECT * FROM kept"), "1");
    await assert.rejects(postgres.start(), /runs already/);
    await postgres.restart();
    assert.equal(await postgres.ask("SELECT * FROM kept"), "1");
  },
);

test(
  "a paused one answers nobody, old connections neither, until resumed",
  postgresTest,
  async () => {
    await using postgres = await openPostgres();
    const { psql } = await ensurePrograms(postgresPrograms);
    const ticks = "SELECT 1 \\watch 0.01\n";
    await using session = spawnProgram(psql, ["-X", "-A", "-t", postgres.url], { input: ticks });
    await session.waitForLine(/^1$/);
    postgres.pause();
    // What was on its way when the pause came may still be printed; then nothing is.
    await assert.rejects(
      session.waitForLine(/^1$/, { from: session.nextIndex + 5, timeoutMs: 100 }),
    );
    const from = session.nextIndex;
    await assert.rejects(session.waitForLine(/^1$/, { from, timeoutMs: 100 }), /did not happen/);
    const answer = postgres.ask("SELECT 2");
    postgres.resume();
    assert.equal(await answer, "2");
    await session.waitForLine(/^1$/, { from });
    postgres.pause();
    assert.deepEqual(await postgres.stop(), { code: 0, signal: null });
  },
);

test("a replica follows, survives its primary, and takes its place", postgresTest, async () => {
  await using primary = await openPostgres();
  await primary.ask("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
  await using replica = await openPostgres({ replicaOf: primary });
  assert.equal(await replica.ask("SELECT * FROM kept"), "1");
  await primary.ask("INSERT INTO kept VALUES (2)");
  await replica.untilCaughtUp();
  assert.equal(await replica.ask("SELECT count(*) FROM kept"), "2");
  await assert.rejects(replica.ask("INSERT INTO kept VALUES (3)"), /read-only transaction/);
  await primary.kill();
  await replica.promote();
  await replica.ask("INSERT INTO kept VALUES (3)");
  await replica.restart({ kill: true });
  assert.equal(await replica.ask("SELECT count(*) FROM kept"), "3");
  await assert.rejects(replica.untilCaughtUp(), /no replica/);
});

test("over TLS it is itself to those who know its authority", secureTest, async () => {
  await using certificates = await createTestCertificates();
  const { ca, foreignCa, client, foreignClient } = certificates;
  await using postgres = await openPostgres({ tls: certificates });
  const { url } = postgres;
  const known = { sslmode: "verify-full", sslrootcert: ca };
  assert.equal(await connect(url, known), "banyan");
  await assert.rejects(connect(url, { ...known, sslrootcert: foreignCa }), /verify failed/);
  await assert.rejects(connect(url, { sslmode: "disable" }), /no encryption/);
  await using strict = await openPostgres({
    tls: { ...certificates, requireClientCertificate: true },
  });
  const as = ({ certificate, key }: typeof client): Record<string, string> => ({
    ...known,
    sslcert: certificate,
    sslkey: key,
  });
  assert.equal(await connect(strict.url, as(client)), "banyan");
  await assert.rejects(connect(strict.url, known), /valid client certificate/);
  await assert.rejects(connect(strict.url, as(foreignClient)), /unknown ca/);
});

test("the end of the scope leaves no process, folder or memory", postgresTest, async () => {
  const left = async (end: (postgres: PostgresServer) => Promise<unknown>): Promise<void> => {
    let folder = "";
    let pids: number[] = [];
    let memory = "";
    {
      await using postgres = await openPostgres();
      folder = postgres.directory;
      pids = [postgres.pid, ...findDescendants(postgres.pid)];
      memory = await memoryOf(postgres);
      await end(postgres);
    }
    assert.equal(existsSync(folder), false);
    assert.deepEqual(findRunning(pids), []);
    await using ipcs = spawnProgram("ipcs", ["-m"]);
    await ipcs.exited;
    assert.ok(!ipcs.stdout.split(/\s+/).includes(memory), `segment ${memory} is left`);
  };
  await left(async () => undefined);
  await left((postgres) => postgres.kill());
  await left(async (postgres) => postgres.pause());
});

/** The segment of shared memory, as its lock file says. */
async function memoryOf(postgres: PostgresServer): Promise<string> {
  const lines = await readFile(join(postgres.directory, "data", "postmaster.pid"), "utf8");
  const [key = "", id] = (lines.split("\n")[6] ?? "").trim().split(/\s+/);
  assert.ok(id !== undefined);
  return `0x${Number(key).toString(16).padStart(8, "0")}`;
}
