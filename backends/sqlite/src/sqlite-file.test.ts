import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isBanyanError } from "@banyan/kernel";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import { createMetrics } from "@banyan/telemetry";
import { openSqlite } from "./sqlite-engine.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import type { StateSet } from "./state-ops.ts";

function set(key: string, value = "1"): StateSet {
  return ["stateSet", 1, false, 0, key, value, key, 1, null, ""];
}

async function openFile() {
  const directory = await temporaryDirectory("file");
  const path = directory.join("state.db");
  const clock = new FakeClock();
  const file = await openSqliteFile({ path, clock, busyTimeoutMs: 10_000 });
  return {
    directory,
    path,
    clock,
    file,
    async [Symbol.asyncDispose]() {
      await file.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function hasCode(code: string) {
  return (error: unknown) => isBanyanError(error, code);
}

test("who opens a file twice shares it, and the last one closes it", async () => {
  await using opened = await openFile();
  const { file, path } = opened;
  const second = await openSqliteFile({ path });
  assert.equal(second.medium, file.medium);
  await file.write(["stateOpen", "a", "b"]);
  await file.close();
  assert.throws(() => file.get("SELECT 1"), hasCode("CLOSED"));
  await assert.rejects(file.write(set("key")), hasCode("CLOSED"));
  await second.write(set("key"));
  assert.deepEqual(second.all("SELECT key FROM entries"), [["key"]]);
  await second.close();
  // The last connection moved the log into the file and took it away.
  assert.deepEqual(readdirSync(opened.directory.path), ["state.db"]);
});

test("a file that is being closed is opened anew when that is done", async () => {
  await using opened = await openFile();
  const { file, path } = opened;
  await file.write(["stateOpen", "a", "b"]);
  const write = file.write(set("key"));
  const closed = file.close();
  const again = await openSqliteFile({ path });
  assert.notEqual(again.medium, file.medium);
  assert.deepEqual(again.all("SELECT key FROM entries"), [["key"]]);
  await Promise.all([write, closed, again.close()]);
});

test("what is not committed is not read, what is answered is", async () => {
  await using opened = await openFile();
  const { file } = opened;
  const write = file.write(["stateOpen", "a", "b"]);
  assert.deepEqual(file.all("SELECT name FROM stores"), []);
  assert.equal(await write, 1);
  assert.deepEqual(file.get("SELECT name FROM stores"), ["b"]);
  assert.deepEqual(await file.allAside("SELECT scope, name FROM stores"), [["a", "b"]]);
});

test("a write that waits for the file holds up neither reads nor the event loop", async () => {
  await using opened = await openFile();
  const { file, path } = opened;
  await file.write(["stateOpen", "a", "b"]);
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  let isWritten = false;
  const write = file.write(set("key")).then(() => (isWritten = true));
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise(setImmediate);
    assert.deepEqual(file.all("SELECT key FROM entries"), []);
  }
  assert.equal(isWritten, false);
  other.exec("ROLLBACK");
  await write;
  assert.deepEqual(file.all("SELECT key FROM entries"), [["key"]]);
});

test("the calling thread cannot write by mistake", async () => {
  await using opened = await openFile();
  const written = () => opened.file.all("INSERT INTO stores (scope, name) VALUES ('a', 'b')");
  assert.throws(written, hasCode("SQLITE_READ_ONLY"));
  const aside = opened.file.allAside("INSERT INTO stores (scope, name) VALUES ('a', 'b')");
  await assert.rejects(aside, hasCode("SQLITE_READ_ONLY"));
});

test("the reader thread rests after a while and is there again when it is needed", async () => {
  await using opened = await openFile();
  const { file, clock } = opened;
  const both = [file.allAside("SELECT 1"), file.allAside("SELECT ?", "two")];
  assert.deepEqual(await Promise.all(both), [[[1]], [["two"]]]);
  await clock.advance(30_000);
  assert.deepEqual(await file.allAside("SELECT 3"), [[3]]);
  const wrong = file.allAside("SELECT nonsense FROM nowhere");
  await assert.rejects(wrong, hasCode("SQLITE_FAILED"));
  assert.deepEqual(await file.allAside("SELECT 4"), [[4]]);
});

test("a copy is made while writes go on, and is whole", async () => {
  await using opened = await openFile();
  const { file, directory } = opened;
  await file.write(["stateOpen", "a", "b"]);
  await Promise.all(Array.from({ length: 1000 }, (_, index) => file.write(set(`old-${index}`))));
  const folder = directory.join("backup");
  mkdirSync(folder);
  let isDone = false;
  const writing = writePairs(file, () => isDone);
  assert.deepEqual(await file.backup(folder), [{ path: "state.db" }]);
  isDone = true;
  const written = await writing;
  assert.deepEqual(readdirSync(folder), ["state.db"]);
  using copy = new DatabaseSync(`${folder}/state.db`, { readOnly: true });
  const count = (prefix: string) =>
    Number(
      copy.prepare("SELECT count(*) AS n FROM entries WHERE key LIKE ?").get(`${prefix}%`)?.["n"],
    );
  assert.equal(count("old-"), 1000);
  // One moment of the file: no pair is there by half.
  assert.equal(count("left-"), count("right-"));
  assert(count("left-") <= written);
});

test("a copy that cannot be written is named, and the file is not touched", async () => {
  await using opened = await openFile();
  const { file, directory } = opened;
  const nowhere = file.backup(directory.join("no-such-folder"));
  await assert.rejects(nowhere, hasCode("SQLITE_BACKUP_FAILED"));
  await assert.rejects(file.backup(directory.path), hasCode("SQLITE_BACKUP_FAILED"));
  await file.write(["stateOpen", "a", "b"]);
  await file.check();
});

test("a check tells when the file was taken away", async () => {
  await using opened = await openFile();
  const { file, path, directory } = opened;
  await file.check();
  renameSync(path, directory.join("elsewhere.db"));
  await assert.rejects(file.check(), hasCode("SQLITE_FILE_UNUSABLE"));
  await assert.rejects(file.write(["stateOpen", "a", "b"]), hasCode("SQLITE_FILE_UNUSABLE"));
  renameSync(directory.join("elsewhere.db"), path);
  await file.check();
  assert.equal(await file.write(["stateOpen", "a", "b"]), 1);
});

/** Writes pairs until told to stop; how many. */
async function writePairs(file: SqliteFile, isDone: () => boolean): Promise<number> {
  let pairs = 0;
  for (; !isDone(); pairs += 1) {
    await file.write(["stateBatch", [set(`left-${pairs}`), set(`right-${pairs}`)]]);
  }
  return pairs;
}

test("a check is red while writes fail, and green again by itself", async () => {
  await using directory = await temporaryDirectory("file");
  const path = directory.join("state.db");
  const file = await openSqliteFile({ path, busyTimeoutMs: 20 });
  await file.write(["stateOpen", "a", "b"]);
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await file.check();
  await assert.rejects(file.write(set("key")), hasCode("SQLITE_FILE_BUSY"));
  await assert.rejects(file.check(), hasCode("SQLITE_FILE_BUSY"));
  other.exec("COMMIT");
  await file.check();
  renameSync(`${path}-wal`, directory.join("log"));
  await assert.rejects(file.write(set("key")), hasCode("SQLITE_FILE_UNUSABLE"));
  await assert.rejects(file.check(), hasCode("SQLITE_FILE_UNUSABLE"));
  renameSync(directory.join("log"), `${path}-wal`);
  await file.check();
  await file.write(set("key"));
  await file.close();
});

test("a share that closes waits for what was handed over", async () => {
  await using opened = await openFile();
  const { file, path } = opened;
  const second = await openSqliteFile({ path });
  await file.write(["stateOpen", "a", "b"]);
  void second.write(set("key"));
  await second.close();
  assert.deepEqual(file.all("SELECT key FROM entries"), [["key"]]);
});

test("a copy is broken off by its signal and leaves nothing; the next one is made", async () => {
  await using opened = await openFile();
  const { file, directory } = opened;
  await fill(file);
  const folder = directory.join("backup");
  mkdirSync(folder);
  const stop = new AbortController();
  const broken = file.backup(folder, { signal: stop.signal });
  const behind = file.backup(folder);
  while (readdirSync(folder).length === 0) await new Promise(setImmediate);
  stop.abort(new Error("enough"));
  await assert.rejects(broken, /enough/);
  await assert.rejects(file.backup(folder, { signal: stop.signal }), /enough/);
  assert.deepEqual(await behind, [{ path: "state.db" }]);
  assert.deepEqual(readdirSync(folder), ["state.db"]);
});

test("long reads do not wait for a copy", async () => {
  await using opened = await openFile();
  const { file, directory } = opened;
  await fill(file);
  const folder = directory.join("backup");
  mkdirSync(folder);
  await file.allAside("SELECT 1");
  const done: string[] = [];
  const copied = file.backup(folder).then(() => done.push("copy"));
  await file.allAside("SELECT count(*) FROM entries").then(() => done.push("read"));
  await copied;
  assert.deepEqual(done, ["read", "copy"]);
});

test("a file that closes breaks off its copies", async () => {
  await using opened = await openFile();
  const { file, directory } = opened;
  await fill(file);
  const folder = directory.join("backup");
  mkdirSync(folder);
  const copies = [file.backup(folder), file.backup(folder)];
  const ended = Promise.allSettled(copies);
  await file.close();
  for (const each of await ended) {
    assert(each.status === "rejected" && isBanyanError(each.reason, "CLOSED"));
  }
});

/** Some megabytes. */
async function fill(file: SqliteFile): Promise<void> {
  await file.write(["stateOpen", "a", "b"]);
  const value = JSON.stringify("x".repeat(20_000));
  await Promise.all(Array.from({ length: 1000 }, (_, n) => file.write(set(`key-${n}`, value))));
}

test("commits, their size and what waits are told as metrics until the end", async () => {
  await using folder = await temporaryDirectory("file-metrics");
  const metrics = createMetrics();
  const engine = await openSqlite({ file: folder.join("state.db"), metrics });
  const store = await engine.openStore({
    scope: "a",
    name: "b",
    durability: "durable",
    capabilities: new Set(),
  });
  const write = async (key: string) =>
    store.set({ key, value: 1, version: 1, expiry: "none" }, { ifAbsent: true });
  await Promise.all(Array.from({ length: 10 }, (_, n) => write(`${n}`)));
  await write("alone");
  // The first commit of the three gave the store its number.
  const { body } = await metrics.respond(undefined);
  assert.match(body, /^banyan_sqlite_commit_duration_seconds_count\{file="state\.db"\} 3$/m);
  assert.match(body, /^banyan_sqlite_commit_writes_sum\{file="state\.db"\} 12$/m);
  assert.match(body, /^banyan_sqlite_commit_writes_bucket\{file="state\.db",le="1\.0"\} 2$/m);
  assert.match(body, /^banyan_sqlite_writes_waiting\{file="state\.db"\} 0$/m);
  assert.match(body, /^banyan_sqlite_takes_writes\{file="state\.db"\} 1$/m);
  await engine.close();
  await metrics.respond(undefined);
});

test("the size of each file and the room left are told while it is open", async () => {
  await using folder = await temporaryDirectory("file-room");
  const metrics = createMetrics();
  const [one, other] = await Promise.all(
    ["one.db", "other.db"].map((name) => openSqliteFile({ path: folder.join(name), metrics })),
  );
  assert.ok(one !== undefined && other !== undefined);
  await fill(one);
  const sizes = bytesOf(metrics.render(), "banyan_sqlite_file_bytes");
  for (const name of ["one.db", "one.db-wal"]) {
    assert.equal(sizes.get(name), statSync(folder.join(name)).size);
  }
  assert.ok((sizes.get("one.db-wal") ?? 0) > 1_000_000);
  assert.ok(sizes.has("other.db"));
  const free = bytesOf(metrics.render(), "banyan_sqlite_disk_free_bytes");
  assert.deepEqual([...free.keys()], ["one.db", "other.db"]);
  const { blocks, bsize } = statfsSync(folder.path);
  for (const bytes of free.values()) assert.ok(bytes > 0 && bytes <= blocks * bsize);

  await one.close();
  assert.deepEqual(
    [...bytesOf(metrics.render(), "banyan_sqlite_file_bytes").keys()].filter((name) =>
      name.startsWith("one"),
    ),
    [],
  );
  rmSync(folder.join("other.db-wal"));
  const left = bytesOf(metrics.render(), "banyan_sqlite_file_bytes");
  assert.deepEqual([...left.keys()], ["other.db"]);
  await other.close();
  assert.doesNotMatch(metrics.render(), /banyan_sqlite_(?:file|disk_free)_bytes/);
});

/** By file. */
function bytesOf(text: string, metric: string): Map<string, number> {
  const series = text.matchAll(new RegExp(`^${metric}\\{file="([^"]+)"\\} (\\d+)$`, "gm"));
  return new Map([...series].map(([, file = "", bytes]) => [file, Number(bytes)]));
}
