/** What is PostgreSQL's own: logins, TLS, schemas, foreign transactions, the sweep. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import {
  createRecordingLog,
  createTestCertificates,
  FakeClock,
  findReasonToSkip,
  openPostgres,
  opensslPrograms,
  postgresPrograms,
  temporaryDirectory,
  until,
} from "@banyan/testbed";
import pg from "pg";
import { openPostgresState } from "./postgres-engine.ts";
import { postgresState } from "./provider.ts";

const skip =
  (await findReasonToSkip(postgresPrograms)) || (await findReasonToSkip(opensslPrograms));
const server = skip === false ? await openPostgres() : undefined;
after(() => server?.[Symbol.asyncDispose]());

function urlOf(): string {
  assert(server !== undefined);
  return server.url;
}

async function ask(sql: string): Promise<string> {
  return (await server?.ask(sql)) ?? "";
}

const spec = { value: t.Integer(), durability: "durable", expires: true } as const;
const numbers = (engine: StateEngine, name = "numbers") =>
  openStore(engine, { scope: "own", name, spec });

function isError(code: string, ...parts: string[]) {
  return (error: unknown): true => {
    assert(isBanyanError(error, code), String(error));
    for (const part of parts) assert(error.message.includes(part), error.message);
    return true;
  };
}

test(
  "a wrong password is refused by name, without waiting and without the password",
  { skip },
  async () => {
    const begunMs = performance.now();
    const opening = openPostgresState({ url: urlOf(), password: "wrong-secret" });
    await assert.rejects(opening, (error: unknown) => {
      assert(!String(error).includes("wrong-secret"));
      return isError("POSTGRES_LOGIN_REFUSED", "28P01")(error);
    });
    assert(performance.now() - begunMs < 5000);
    const missing = openPostgresState({ url: urlOf(), database: "nowhere" });
    await assert.rejects(missing, isError("POSTGRES_LOGIN_REFUSED", "nowhere"));
  },
);

test(
  "TLS holds the server's certificate against the authority, and shows the client's",
  { skip },
  async () => {
    await using files = await createTestCertificates();
    await using secure = await openPostgres({ tls: { ...files, requireClientCertificate: true } });
    const { url } = secure;
    const { ca, foreignCa, client, foreignClient } = files;
    {
      await using engine = await openPostgresState({ url, tls: { ca, ...client } });
      const store = await numbers(engine);
      await store.set("key", 1);
      assert.equal(await store.get("key"), 1);
    }
    const refused = isError("POSTGRES_TLS_REFUSED", "tls.ca");
    await assert.rejects(openPostgresState({ url, tls: { ca: foreignCa, ...client } }), refused);
    const named = { ca, ...client, serverName: "other.example" };
    await assert.rejects(openPostgresState({ url, tls: named }), refused);
    const foreign = openPostgresState({
      url,
      tls: { ca, ...foreignClient },
      connectTimeoutMs: 300,
    });
    await assert.rejects(
      foreign,
      (error) => isBanyanError(error) && error.code.startsWith("POSTGRES_"),
    );
    await assert.rejects(
      openPostgresState({ url, connectTimeoutMs: 300 }),
      isError("POSTGRES_LOGIN_REFUSED"),
    );
    // And a server without TLS is not talked to in the clear.
    await assert.rejects(openPostgresState({ url: urlOf(), tls: { ca } }), refused);
  },
);

test("options are checked, and a secret is in no message", { skip }, async () => {
  const code = "STATE_OPTION_INVALID";
  const wrong = async (options: object, ...parts: string[]): Promise<void> => {
    await assert.rejects(openPostgresState({ ...options }), isError(code, ...parts));
  };
  await wrong({ poolSize: 0 }, "poolSize");
  await wrong({ pool_size: 1 }, "poolSize");
  await wrong({ schema: 'x"; DROP' }, "schema");
  await wrong({ url: "mysql://a:secret@b/c" }, "url");
  await wrong({ url: "postgres://b/c?sslmode=disable" }, "parameters");
  await wrong({ tls: { ca: "/nowhere/ca.crt" } }, "/nowhere/ca.crt");
  await wrong({ time: "sundial" }, "sundial");
});

test("tables of a newer version are refused with both versions", { skip }, async () => {
  const options = { url: urlOf(), schema: "newer" };
  await (await openPostgresState(options)).close();
  await ask("UPDATE newer.schema_steps SET taken = 99");
  const refused = isError("POSTGRES_SCHEMA_NEWER", "99", "knows 2");
  await assert.rejects(openPostgresState(options), refused);
});

test(
  "tables from before the outbox are brought up to date, with what they hold",
  { skip },
  async () => {
    const options = { url: urlOf(), schema: "older" };
    {
      await using engine = await openPostgresState(options);
      await (await numbers(engine)).set("key", 7);
    }
    // As the first version left them.
    await ask("DROP TABLE older.outbox");
    await ask("UPDATE older.schema_steps SET taken = 1");
    await using engine = await openPostgresState(options);
    assert.equal(await (await numbers(engine)).get("key"), 7);
    assert.deepEqual(await engine.outbox?.status(), { waiting: 0, aside: 0 });
    assert.equal((await ask("SELECT taken FROM older.schema_steps")).trim(), "2");
  },
);

test("a user who may make no tables is told so", { skip }, async () => {
  await ask("CREATE SCHEMA locked");
  await server?.ask("ALTER SCHEMA locked OWNER TO postgres", { superuser: true });
  const opening = openPostgresState({ url: urlOf(), schema: "locked" });
  await assert.rejects(opening, isError("POSTGRES_UNSUITABLE", "locked"));
});

test("a database that is not in UTF-8 is refused", { skip }, async () => {
  const create =
    "CREATE DATABASE latin OWNER banyan ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
  await server?.ask(create, { superuser: true });
  const opening = openPostgresState({ url: urlOf(), database: "latin" });
  await assert.rejects(opening, isError("POSTGRES_UNSUITABLE", "LATIN1"));
});

test("expired entries leave the table in bounded bites", { skip }, async () => {
  const clock = new FakeClock();
  const options = { url: urlOf(), schema: "sweep", clock, time: "node" } as const;
  await using engine = await openPostgresState({ ...options, sweepIntervalMs: 1000 });
  const store = await numbers(engine);
  const entries = Array.from({ length: 900 }, (_, n) => [`key-${n}`, n] as const);
  await store.setMany(entries, { ttlMs: 500 });
  await store.set("stays", 1);
  const rows = async (): Promise<number> => Number(await ask("SELECT count(*) FROM sweep.entries"));
  await clock.advance(1000);
  await until(async () => (await rows()) === 401, { what: "The first bite" });
  const looks = async (): Promise<boolean> => {
    await clock.advance(50);
    return (await rows()) === 1;
  };
  await until(looks, { what: "The second bite" });
});

test("a deadlock with a foreign transaction is tried again", { skip }, async () => {
  await using engine = await openPostgresState({ url: urlOf(), schema: "deadlock" });
  const store = await numbers(engine);
  await store.setMany([
    ["a", 0],
    ["b", 0],
  ]);
  const foreign = new pg.Client(urlOf());
  await foreign.connect();
  await foreign.query("SET deadlock_timeout = '10s'").catch(() => undefined); // superusers only
  await foreign.query("BEGIN");
  await foreign.query("SELECT * FROM deadlock.entries WHERE key = 'b' FOR UPDATE");
  const written = store.setMany([
    ["a", 1],
    ["b", 1],
  ]);
  const waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  await until(async () => (await ask(waits)) === "1", { what: "The wait for b" });
  const blocked = foreign.query("SELECT * FROM deadlock.entries WHERE key = 'a' FOR UPDATE");
  // The server ends one of the two; whichever it is, our batch is there in the end.
  await blocked.catch(() => undefined);
  await foreign.query("ROLLBACK");
  await foreign.end();
  await written;
  assert.deepEqual(
    (await store.getMany(["a", "b"])).map(({ value }) => value),
    [1, 1],
  );
});

test("rows that a foreign transaction holds are unavailable in time", { skip }, async () => {
  const options = { url: urlOf(), schema: "held", commandTimeoutMs: 300 };
  await using engine = await openPostgresState(options);
  const store = await numbers(engine);
  await store.set("a", 0);
  const foreign = new pg.Client(urlOf());
  await foreign.connect();
  await foreign.query("BEGIN; SELECT * FROM held.entries WHERE key = 'a' FOR UPDATE");
  await assert.rejects(store.set("a", 1), isError("STATE_ENGINE_UNAVAILABLE"));
  await foreign.query("ROLLBACK");
  await foreign.end();
  await store.set("a", 2);
  assert.equal(await store.get("a"), 2);
});

test("the provider hands clock and options on, and needs no directory", { skip }, async () => {
  await using directory = await temporaryDirectory("postgres");
  const log = createRecordingLog();
  const options = { url: urlOf(), schema: "provider" };
  const given = { directory: directory.path, clock: new FakeClock(), log, options };
  await using engine = await postgresState.openState(given);
  const store = await numbers(engine);
  await store.set("key", 1);
  assert.equal(await ask("SELECT count(*) FROM provider.entries"), "1");
  const unknown = { ...given, options: { clock: 1 } };
  await assert.rejects(postgresState.openState(unknown), isError("STATE_OPTION_INVALID", "clock"));
});
