import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { isBanyanError, t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { describeStateEngine } from "@banyan/state/conformance";
import { createRecordingLog, FakeClock, temporaryDirectory } from "@banyan/testbed";
import { migrate, migrations } from "./migrations.ts";
import { sqlite } from "./provider.ts";
import { openSqlite } from "./sqlite-engine.ts";

describeStateEngine({
  name: "sqlite",
  capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
  runs: 30,
  open: async () => {
    const directory = await temporaryDirectory("sqlite");
    const file = directory.join("state.db");
    const clock = new FakeClock();
    let engine = await openSqlite({ file, clock });
    return {
      engine,
      advance: (ms) => clock.advance(ms),
      restart: async () => {
        await engine.close();
        engine = await openSqlite({ file, clock });
        return engine;
      },
      close: async () => {
        await engine.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  },
});

const counter = { value: t.Object({ count: t.Integer() }), durability: "durable" } as const;
const withExpiry = { ...counter, expires: true } as const;

function isError(code: string, ...parts: string[]) {
  return (error: unknown): true => {
    // A store keeps the engine's own words from its callers: they are the cause, for the log.
    const reason = isBanyanError(error, "STATE_ENGINE_UNAVAILABLE") ? error.cause : error;
    assert(isBanyanError(reason, code), String(reason));
    for (const part of parts) assert(reason.message.includes(part), reason.message);
    return true;
  };
}

test("a file that is no database is refused by name and left as it was", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  const text = "This is a letter, not a database. ".repeat(100);
  writeFileSync(file, text);
  await assert.rejects(openSqlite({ file }), isError("SQLITE_FILE_CORRUPT", file));
  assert.equal(readFileSync(file, "utf8"), text);
});

test("a page that was damaged is found when it is read", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  {
    await using engine = await openSqlite({ file });
    const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
    const entries = Array.from({ length: 500 }, (_, i) => [`key-${i}`, { count: i }] as const);
    await store.setMany(entries);
  }
  const bytes = readFileSync(file);
  bytes.fill(0xff, 4096 * 2, bytes.length);
  writeFileSync(file, bytes);
  const scan = async (): Promise<void> => {
    await using engine = await openSqlite({ file });
    const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
    await store.scan({ limit: 1000 });
  };
  await assert.rejects(scan(), isError("SQLITE_FILE_CORRUPT"));
});

test("a folder that is not there is named", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("no", "state.db");
  await assert.rejects(openSqlite({ file }), isError("SQLITE_FILE_UNUSABLE", file));
});

test("a file of a newer version is refused with both versions", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await (await openSqlite({ file })).close();
  using database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 99");
  const known = `knows ${migrations.length}`;
  await assert.rejects(openSqlite({ file }), isError("SQLITE_SCHEMA_NEWER", "schema 99", known));
});

test("a migration that fails leaves the file at the schema it had", () => {
  using database = new DatabaseSync(":memory:");
  migrate(database, "x", ["CREATE TABLE one (a)"]);
  const steps = ["CREATE TABLE one (a)", "CREATE TABLE two (a)", "no SQL"];
  assert.throws(() => migrate(database, "x", steps), /syntax error/);
  assert.throws(() => database.prepare("SELECT * FROM two"), /no such table/);
  migrate(database, "x", steps.slice(0, 2));
  database.prepare("SELECT * FROM two");
});

test("a file that another program holds is named, and works again afterwards", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file, busyTimeoutMs: 0 });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  using other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects(store.set("key", { count: 1 }), isError("SQLITE_FILE_BUSY"));
  other.exec("ROLLBACK");
  await store.set("key", { count: 1 });
});

test("check finds out that the file was taken away", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file });
  await engine.check();
  renameSync(file, directory.join("elsewhere.db"));
  const check = Promise.try(() => engine.check());
  await assert.rejects(check, isError("SQLITE_FILE_UNUSABLE", "moved"));
});

test("nothing is acknowledged while the file is elsewhere", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  renameSync(file, directory.join("elsewhere.db"));
  const refused = isError("SQLITE_FILE_UNUSABLE", "nothing is written");
  await assert.rejects(store.set("key", { count: 1 }), refused);
  await assert.rejects(store.setMany([["key", { count: 1 }]]), refused);
  renameSync(directory.join("elsewhere.db"), file);
  assert.equal(await store.get("key"), undefined);
  await store.set("key", { count: 2 });
});

test("a value that is no JSON is named with its key", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  await store.set("key", { count: 1 });
  using other = new DatabaseSync(file);
  other.exec("UPDATE entries SET value = '{'");
  await assert.rejects(store.get("key"), isError("SQLITE_FILE_CORRUPT", '"key"'));
});

test("expired entries leave the file in bounded bites", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  const clock = new FakeClock();
  await using engine = await openSqlite({ file, clock, sweepIntervalMs: 1000 });
  const store = await openStore(engine, { scope: "a", name: "b", spec: withExpiry });
  const entries = Array.from({ length: 1000 }, (_, i) => [`key-${i}`, { count: i }] as const);
  await store.setMany(entries, { ttlMs: 500 });
  await store.setMany([["stays", { count: 1 }]]);
  using other = new DatabaseSync(file, { readOnly: true });
  const rows = other.prepare("SELECT count(*) AS rows FROM entries");
  // Writes are done in order: what is written behind a sweep waits for it.
  const afterSweep = () => store.set("stays", { count: 1 });
  await clock.advance(1000);
  await afterSweep();
  assert.deepEqual({ ...rows.get() }, { rows: 501 });
  await clock.advance(50);
  await afterSweep();
  assert.deepEqual({ ...rows.get() }, { rows: 1 });
  assert.deepEqual(await store.get("stays"), { count: 1 });
});

test("a sweep that fails is logged, and the next one runs", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  const clock = new FakeClock();
  const log = createRecordingLog();
  const options = { file, clock, log, sweepIntervalMs: 1000, busyTimeoutMs: 0 };
  await using engine = await openSqlite(options);
  const store = await openStore(engine, { scope: "a", name: "b", spec: withExpiry });
  await store.set("key", { count: 1 }, { ttlMs: 10 });
  using other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  await clock.advance(1000);
  // Writes are done in order: what is written behind a sweep waits for it.
  await assert.rejects(store.set("other", { count: 1 }), isError("SQLITE_FILE_BUSY"));
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ["the database file takes no writes", "expired entries could not be removed"],
  );
  other.exec("ROLLBACK");
  await clock.advance(1000);
  await store.set("other", { count: 1 });
  assert.equal(log.lines.at(-1)?.message, "the database file takes writes again");
  const rows = other.prepare("SELECT key FROM entries");
  assert.deepEqual({ ...rows.get() }, { key: "other" });
});

test("who only reads starts no writer, and an idle engine's sweep writes nothing", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  const clock = new FakeClock();
  const spec = { scope: "a", name: "b", spec: withExpiry };
  {
    await using engine = await openSqlite({ file, clock });
    const store = await openStore(engine, spec);
    await store.set("stays", { count: 1 });
    await store.set("goes", { count: 2 }, { ttlMs: 60_000 });
  }
  const before = readFileSync(file);
  let threads = 0;
  const onThread = (): void => {
    threads += 1;
  };
  subscribe("worker_threads", onThread);
  await using engine = await openSqlite({ file, clock, sweepIntervalMs: 1000 });
  const store = await openStore(engine, spec);
  assert.deepEqual(await store.get("stays"), { count: 1 });
  await clock.advance(30_000);
  assert.equal(threads, 0);
  assert.deepEqual(readFileSync(file), before);
  assert.equal(statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0, 0);
  // Once something has expired the sweep is a write.
  await clock.advance(31_000);
  await store.set("stays", { count: 3 });
  assert.equal(threads, 1);
  unsubscribe("worker_threads", onThread);
  using other = new DatabaseSync(file, { readOnly: true });
  assert.deepEqual({ ...other.prepare("SELECT count(*) AS n FROM entries").get() }, { n: 1 });
});

test("options are checked", async () => {
  const file = "unused";
  const code = "STATE_OPTION_INVALID";
  await assert.rejects(openSqlite({ file, busyTimeoutMs: -1 }), isError(code, "busyTimeoutMs"));
  const misspelt = { file, sweepIntervallMs: 1 };
  await assert.rejects(openSqlite(misspelt), isError(code, "sweepIntervalMs"));
});

test("the provider keeps the state in the data directory", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const log = createRecordingLog();
  const clock = new FakeClock();
  const open = () => sqlite.openState({ directory: directory.path, clock, log });
  {
    await using engine = await open();
    const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
    await store.set("key", { count: 7 });
  }
  await using engine = await open();
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  assert.deepEqual(await store.get("key"), { count: 7 });
  assert(readFileSync(directory.join("state.db")).length > 0);
});

/** Commits in the log, by its format (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
function commitsIn(path: string): number {
  const log = readFileSync(`${path}-wal`);
  const frameBytes = 24 + log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + frameBytes <= log.length; at += frameBytes) {
    // The last frame of a commit says how large the file is then, the others say nothing.
    if (log.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}

test("a hundred updates of one key at once are a hundred, in a few commits", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  await store.set("key", { count: 0 });
  const before = commitsIn(file);
  const increment = (current: { count: number } | undefined) => ({
    count: (current?.count ?? 0) + 1,
  });
  const seen = await Promise.all(Array.from({ length: 100 }, () => store.update("key", increment)));
  assert.deepEqual(await store.get("key"), { count: 100 });
  assert.deepEqual(
    seen.map(({ count }) => count),
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  const commits = commitsIn(file) - before;
  assert(commits <= 4, `${commits} commits`);
});

test("updates that stand on a write that fails are done all the same", async () => {
  await using directory = await temporaryDirectory("sqlite");
  const file = directory.join("state.db");
  await using engine = await openSqlite({ file, busyTimeoutMs: 0 });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  await store.set("key", { count: 1 });
  // In one turn: a write that will conflict, and updates that are handed over behind it.
  const conflict = store.set("key", { count: 100 }, { ifMatch: "never" });
  const gone = store.delete("key");
  const updates = Array.from({ length: 20 }, () =>
    store.update("key", (current) => ({ count: (current?.count ?? 0) + 1 })),
  );
  await assert.rejects(conflict, isError("STATE_VERSION_CONFLICT"));
  await Promise.all([gone, ...updates]);
  assert.deepEqual(await store.get("key"), { count: 20 });
});

test("long pages are read beside the event loop, and are the same", async () => {
  await using directory = await temporaryDirectory("sqlite");
  await using engine = await openSqlite({ file: directory.join("state.db") });
  const store = await openStore(engine, { scope: "a", name: "b", spec: counter });
  const keys = Array.from({ length: 900 }, (_, i) => `key-${String(i).padStart(3, "0")}`);
  await store.setMany(keys.map((key, count) => [key, { count }] as const));
  const { entries, next } = await store.scan({ limit: 800, prefix: "key-" });
  assert.deepEqual(
    entries.map(({ key, value }) => [key, value.count]),
    keys.slice(0, 800).map((key, count) => [key, count]),
  );
  assert.equal(next, "key-799");
  const found = await store.getMany(keys.toReversed());
  assert.deepEqual(
    found.map(({ key }) => key),
    keys.toReversed(),
  );
});
