import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { spawnProgram } from "./child.ts";
import { mariadbPrograms } from "./mariadb-data.ts";
import { openMariadb } from "./mariadb-server.ts";
import type { MariadbServer } from "./mariadb-server.ts";
import { findRunning } from "./process-tree.ts";
import { ensurePrograms, findReasonToSkip } from "./required-programs.ts";
import { createTestCertificates, opensslPrograms } from "./test-certificates.ts";

const reason = await findReasonToSkip(mariadbPrograms);
const mariadbTest = { skip: reason };
const secureTest = { skip: reason || (await findReasonToSkip(opensslPrograms)) };

interface Dial {
  readonly password?: string;
  readonly flags?: readonly string[];
}

/** What a client on the port gets, who it says it is; rejects with the client's words. */
async function connect(server: MariadbServer, options: Dial = {}): Promise<string> {
  const { password = server.password, flags = [] } = options;
  const { mariadb } = await ensurePrograms(mariadbPrograms);
  const where = [`--host=${server.host}`, `--port=${server.port}`, server.database];
  const who = [`--user=${server.user}`, `--password=${password}`];
  const words = ["--no-defaults", ...flags, ...where, ...who, "-N", "-B", "-e", "SELECT user()"];
  await using child = spawnProgram(mariadb, words);
  const { code } = await child.exited;
  if (code !== 0) throw new Error(child.stderr);
  return child.stdout.trim();
}

test("a private MariaDB answers by its socket and on its port", mariadbTest, async () => {
  await using mariadb = await openMariadb({ config: { "max-connections": "17" } });
  const made =
    "CREATE TABLE names (id int, name text); INSERT INTO names VALUES (1, '🌳'), (2, NULL)";
  assert.equal(await mariadb.ask(made), "");
  assert.equal(await mariadb.ask("SELECT * FROM names ORDER BY id"), "1\t🌳\n2\tNULL");
  assert.equal(
    await mariadb.ask("SELECT @@max_connections, @@character_set_server"),
    "17\tutf8mb4",
  );
  assert.equal(await mariadb.ask("SELECT @@innodb_flush_log_at_trx_commit"), "1");
  await assert.rejects(mariadb.ask("SELECT * FROM nobody"), /nobody' doesn't exist/);
  assert.match(mariadb.url, /^mysql:\/\/banyan:banyan@127\.0\.0\.1:\d+\/banyan$/);
  assert.equal(await connect(mariadb), "banyan@127.0.0.1");
  await assert.rejects(connect(mariadb, { password: "wrong" }), /Access denied/);
  const own = openMariadb({ config: { bind_address: "0.0.0.0" } });
  await assert.rejects(own, /"bind_address" is the testbed's own/);
  await assert.rejects(openMariadb({ config: { nonsense: "1" } }), /nonsense/);
});

test("what was committed is there after a kill", mariadbTest, async () => {
  await using mariadb = await openMariadb();
  await mariadb.ask("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
  const { pid, url } = mariadb;
  assert.deepEqual(await mariadb.kill(), { code: null, signal: "SIGKILL" });
  await assert.rejects(mariadb.ask("SELECT 1"), /Can't connect/);
  await mariadb.start();
  assert.notEqual(mariadb.pid, pid);
  assert.equal(mariadb.url, url);
  assert.equal(await mariadb.ask("SELECT * FROM kept"), "1");
  await mariadb.restart();
  assert.equal(await mariadb.ask("SELECT * FROM kept"), "1");
});

test("a paused MariaDB answers nothing until it is resumed", mariadbTest, async () => {
  await using mariadb = await openMariadb();
  mariadb.pause();
  let isAnswered = false;
  const answer = mariadb.ask("SELECT 2").finally(() => (isAnswered = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isAnswered, false);
  mariadb.resume();
  assert.equal(await answer, "2");
  mariadb.pause();
  assert.deepEqual(await mariadb.stop(), { code: 0, signal: null });
});

test("over TLS it is itself to those who know its authority", secureTest, async () => {
  await using certificates = await createTestCertificates();
  const { ca, foreignCa, client, foreignClient } = certificates;
  const verified = (path: string): string[] => ["--ssl-verify-server-cert", `--ssl-ca=${path}`];
  const as = ({ certificate, key }: typeof client): string[] => [
    ...verified(ca),
    `--ssl-cert=${certificate}`,
    `--ssl-key=${key}`,
  ];
  await using mariadb = await openMariadb({ tls: certificates });
  assert.equal(await connect(mariadb, { flags: verified(ca) }), "banyan@127.0.0.1");
  await assert.rejects(connect(mariadb, { flags: verified(foreignCa) }), /TLS\/SSL error/);
  await assert.rejects(
    connect(mariadb, { flags: ["--skip-ssl"] }),
    /Access denied|insecure transport/,
  );
  await using strict = await openMariadb({
    tls: { ...certificates, requireClientCertificate: true },
  });
  assert.equal(await connect(strict, { flags: as(client) }), "banyan@127.0.0.1");
  await assert.rejects(connect(strict, { flags: verified(ca) }), /Access denied/);
  await assert.rejects(connect(strict, { flags: as(foreignClient) }));
  await strict.restart();
  await assert.rejects(connect(strict, { flags: verified(ca) }), /Access denied/);
});

test("the end of the scope leaves neither process nor folder", mariadbTest, async () => {
  let folder = "";
  let pid = 0;
  {
    await using mariadb = await openMariadb();
    ({ directory: folder, pid } = mariadb);
    assert.ok(existsSync(folder));
  }
  assert.equal(existsSync(folder), false);
  assert.deepEqual(findRunning([pid]), []);
});
