/** What is the server's own: logins, TLS, packets, foreign transactions, the sweep, the session. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isBanyanError, systemClock, t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import {
  createRecordingLog,
  createTestCertificates,
  FakeClock,
  findReasonToSkip,
  mariadbPrograms,
  openMariadb,
  opensslPrograms,
  temporaryDirectory,
  until,
} from "@banyan/testbed";
import { MysqlConnection } from "./mysql-connection.ts";
import { openMysqlState } from "./mysql-engine.ts";
import { resolveMysqlOptions } from "./options.ts";
import { mysqlState } from "./provider.ts";

const skip = (await findReasonToSkip(mariadbPrograms)) || (await findReasonToSkip(opensslPrograms));
const server = skip === false ? await openMariadb() : undefined;
after(() => server?.[Symbol.asyncDispose]());

function urlOf(): string {
  assert(server !== undefined);
  return server.url;
}

async function ask(sql: string): Promise<string> {
  return (await server?.ask(sql)) ?? "";
}

const spec = { value: t.Unknown(), durability: "durable", expires: true } as const;
const open = (engine: StateEngine) => openStore(engine, { scope: "own", name: "numbers", spec });

/** A connection that no engine knows of. */
function openForeign(): Promise<MysqlConnection> {
  return MysqlConnection.open(resolveMysqlOptions({ url: urlOf() }));
}

function isError(code: string, ...parts: string[]) {
  return (error: unknown): true => {
    assert(isBanyanError(error, code), String(error));
    for (const part of parts) assert(error.message.includes(part), error.message);
    return true;
  };
}

test("a wrong password is refused by name, without waiting", { skip }, async () => {
  const begunMs = systemClock.monotonicMs();
  const opening = openMysqlState({ url: urlOf(), password: "wrong-secret" });
  await assert.rejects(opening, (error: unknown) => {
    assert(!String(error).includes("wrong-secret"));
    return isError("MYSQL_LOGIN_REFUSED", "1045")(error);
  });
  assert(systemClock.monotonicMs() - begunMs < 5000);
  const missing = openMysqlState({ url: urlOf(), database: "nowhere" });
  await assert.rejects(missing, isError("MYSQL_LOGIN_REFUSED", "nowhere"));
});

test("TLS holds the server's certificate against the authority", { skip }, async () => {
  await using files = await createTestCertificates();
  await using secure = await openMariadb({ tls: { ...files, requireClientCertificate: true } });
  const { url } = secure;
  const { ca, foreignCa, client, foreignClient } = files;
  const serverName = "localhost";
  {
    await using engine = await openMysqlState({ url, tls: { ca, ...client, serverName } });
    const store = await open(engine);
    await store.set("key", 1);
    assert.equal(await store.get("key"), 1);
  }
  const refused = isError("MYSQL_TLS_REFUSED", "tls.ca");
  const tls = { ...client, serverName };
  await assert.rejects(openMysqlState({ url, tls: { ...tls, ca: foreignCa } }), refused);
  const other = { ca, ...client, serverName: "other.example" };
  await assert.rejects(openMysqlState({ url, tls: other }), refused);
  const foreign = { ca, ...foreignClient, serverName };
  const isNamed = (error: unknown) => isBanyanError(error) && error.code.startsWith("MYSQL_");
  await assert.rejects(openMysqlState({ url, tls: foreign, connectTimeoutMs: 300 }), isNamed);
  await assert.rejects(openMysqlState({ url, tls: { ca, serverName } }), isNamed);
  // And a server without TLS is not talked to in the clear.
  await assert.rejects(openMysqlState({ url: urlOf(), tls: { ca, serverName } }), isNamed);
});

test("options are checked", { skip }, async () => {
  const code = "STATE_OPTION_INVALID";
  const wrong = async (options: object, ...parts: string[]): Promise<void> => {
    await assert.rejects(openMysqlState({ ...options }), isError(code, ...parts));
  };
  await wrong({ poolSize: 0 }, "poolSize");
  await wrong({ poolsize: 1 }, "poolSize");
  await wrong({ tablePrefix: "x`; DROP" }, "tablePrefix");
  await wrong({ url: "postgres://a:secret@b/c" }, "url");
  await wrong({ url: "mysql://b/c?ssl=false" }, "parameters");
  await wrong({ url: "mysql://127.0.0.1/c", tls: true }, "serverName");
});

test("tables of a newer version are refused with both versions", { skip }, async () => {
  const options = { url: urlOf(), tablePrefix: "newer_" };
  await (await openMysqlState(options)).close();
  await ask("UPDATE newer_schema_steps SET taken = 99");
  const refused = isError("MYSQL_SCHEMA_NEWER", "99", "knows 2");
  await assert.rejects(openMysqlState(options), refused);
});

test(
  "tables from before the outbox are brought up to date, with what they hold",
  { skip },
  async () => {
    const options = { url: urlOf(), tablePrefix: "older_" };
    {
      await using engine = await openMysqlState(options);
      await (await open(engine)).set("key", 7);
    }
    // As the first version left them.
    await ask("DROP TABLE older_outbox");
    await ask("UPDATE older_schema_steps SET taken = 1");
    await using engine = await openMysqlState(options);
    assert.equal(await (await open(engine)).get("key"), 7);
    assert.deepEqual(await engine.outbox?.status(), { waiting: 0, aside: 0 });
    assert.equal((await ask("SELECT taken FROM older_schema_steps")).trim(), "2");
  },
);

test("a user who may make no tables is told so", { skip }, async () => {
  await ask("CREATE USER reader@'%' IDENTIFIED BY 'r'; GRANT SELECT ON banyan.* TO reader@'%'");
  const options = { url: urlOf(), user: "reader", password: "r", tablePrefix: "reader_" };
  await assert.rejects(openMysqlState(options), isError("MYSQL_UNSUITABLE", "reader"));
});

test("a server that is less than durable is in the log", { skip }, async () => {
  const log = createRecordingLog();
  await ask("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
  await (await openMysqlState({ url: urlOf(), log })).close();
  await ask("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
  assert(log.lines.some(({ message }) => message.includes("innodb_flush_log_at_trx_commit")));
});

test(
  "what a packet does not take is refused by name; a batch goes in several",
  { skip },
  async () => {
    await using small = await openMariadb({ config: { "max-allowed-packet": "1M" } });
    await using engine = await openMysqlState({ url: small.url });
    const store = await open(engine);
    const large = { text: '"'.repeat(200_000) };
    const text = "é".repeat(100_000);
    const batch = Array.from(
      { length: 20 },
      (_, n) => [`k${n}`, n % 2 === 0 ? large : text] as const,
    );
    await store.setMany(batch);
    await store.setMany(batch);
    assert.deepEqual(await store.get("k0"), large);
    assert.equal((await store.getMany(batch.map(([key]) => key))).length, 20);
    const refused = isError("STATE_VALUE_TOO_LARGE", "server");
    await assert.rejects(store.set("key", "x".repeat(600_000)), refused);
    assert.equal(await store.has("key"), false);
  },
);

test("expired entries leave the table in bounded bites", { skip }, async () => {
  const clock = new FakeClock();
  const options = { url: urlOf(), tablePrefix: "sweep_", clock, time: "node" } as const;
  await using engine = await openMysqlState({ ...options, sweepIntervalMs: 1000 });
  const store = await open(engine);
  const entries = Array.from({ length: 900 }, (_, n) => [`key-${n}`, n] as const);
  await store.setMany(entries, { ttlMs: 500 });
  await store.set("stays", 1);
  const rows = async (): Promise<number> => Number(await ask("SELECT count(*) FROM sweep_entries"));
  await clock.advance(1000);
  await until(async () => (await rows()) === 401, { what: "The first bite" });
  const looks = async (): Promise<boolean> => {
    await clock.advance(50);
    return (await rows()) === 1;
  };
  await until(looks, { what: "The second bite" });
});

test("a deadlock with a foreign transaction is tried again", { skip }, async () => {
  await using engine = await openMysqlState({ url: urlOf(), tablePrefix: "dead_" });
  const store = await open(engine);
  await store.setMany([
    ["a", 0],
    ["b", 0],
  ]);
  const foreign = await openForeign();
  const lock = "SELECT 1 FROM dead_entries WHERE store_id = 1 AND `key` = ? FOR UPDATE";
  await foreign.query("START TRANSACTION");
  // Much to undo, so that the server ends the other one.
  await foreign.query("CREATE TEMPORARY TABLE weight (n INT) ENGINE = InnoDB");
  await foreign.query("INSERT INTO weight SELECT seq FROM seq_1_to_1000");
  await foreign.query(lock, [Buffer.from("b")]);
  const written = store.setMany([
    ["a", 1],
    ["b", 1],
  ]);
  const waits = "SELECT count(*) FROM information_schema.innodb_lock_waits";
  await until(async () => (await ask(waits)) === "1", { what: "The wait for b" });
  await foreign.query(lock, [Buffer.from("a")]).catch(() => undefined);
  await foreign.query("ROLLBACK");
  foreign.destroy();
  await written;
  assert.deepEqual(
    (await store.getMany(["a", "b"])).map(({ value }) => value),
    [1, 1],
  );
});

test("rows that a foreign transaction holds are unavailable in time", { skip }, async () => {
  const options = { url: urlOf(), tablePrefix: "held_", commandTimeoutMs: 300 };
  await using engine = await openMysqlState(options);
  const store = await open(engine);
  await store.set("a", 0);
  const foreign = await openForeign();
  await foreign.query("START TRANSACTION; SELECT * FROM held_entries FOR UPDATE");
  await assert.rejects(store.set("a", 1), isError("STATE_ENGINE_UNAVAILABLE"));
  foreign.destroy();
  await until(() => store.set("a", 2), { what: "A write after it" });
  assert.equal(await store.get("a"), 2);
});

test("a server that turns read-only takes no writes and says so", { skip }, async () => {
  await using engine = await openMysqlState({ url: urlOf(), tablePrefix: "readonly_" });
  const store = await open(engine);
  await store.set("a", 1);
  await ask("SET GLOBAL read_only = 1");
  await assert.rejects(store.set("a", 2), isError("STATE_ENGINE_UNAVAILABLE"));
  await assert.rejects(async () => engine.check(), isError("STATE_ENGINE_UNAVAILABLE"));
  assert.equal(await store.get("a"), 1);
  await ask("SET GLOBAL read_only = 0");
  await store.set("a", 3);
  await engine.check();
});

test("the provider hands clock and options on, and needs no directory", { skip }, async () => {
  await using directory = await temporaryDirectory("mysql");
  const log = createRecordingLog();
  const options = { url: urlOf(), tablePrefix: "provider_" };
  const given = { directory: directory.path, clock: new FakeClock(), log, options };
  await using engine = await mysqlState.openState(given);
  const store = await open(engine);
  await store.set("key", 1);
  assert.equal(await ask("SELECT count(*) FROM provider_entries"), "1");
  const unknown = { ...given, options: { clock: 1 } };
  await assert.rejects(mysqlState.openState(unknown), isError("STATE_OPTION_INVALID", "clock"));
});
