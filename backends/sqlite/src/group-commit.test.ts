import assert from "node:assert/strict";
import { test } from "node:test";
import { renameSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { temporaryDirectory } from "@banyan/testbed";
import { identityOf } from "./file-identity.ts";
import { GroupCommit } from "./group-commit.ts";
import { migrate } from "./migrations.ts";
import type { StateSet, StoredCondition } from "./state-ops.ts";
import type { WriteOp } from "./write-op.ts";

/** Every look at the clock is a millisecond later. */
let clockMs = 0;
const monotonicMs = (): number => (clockMs += 1);

async function openGroupCommit() {
  const directory = await temporaryDirectory("group");
  const path = directory.join("state.db");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  migrate(database, path);
  const writer = new GroupCommit({
    path,
    identity: identityOf(path),
    busyTimeoutMs: 0,
    monotonicMs,
  });
  writer.commit([["stateOpen", "a", "b"]]);
  return {
    path,
    directory,
    database,
    writer,
    /** Keys in the order in which they were written. */
    keys: () =>
      database
        .prepare("SELECT key FROM entries ORDER BY rowid")
        .all()
        .map((row) => row["key"]),
    async [Symbol.asyncDispose]() {
      writer.close();
      database.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function set(key: string, condition: StoredCondition = "", etag = key): StateSet {
  return ["stateSet", 1, false, 0, key, "1", etag, 1, null, condition];
}

/** Text where the table takes a number only: a statement that fails. */
function broken(key: string): WriteOp {
  // The wrong type is what is tested.
  return ["stateSet", 1, false, 0, key, "1", key, "no number", null, ""] as unknown as StateSet;
}

test("a group is one commit, in the order of its writes", async () => {
  await using opened = await openGroupCommit();
  const said = opened.writer.commit([set("c"), set("a"), set("b", "absent"), set("a", "=a", "a2")]);
  assert.deepEqual(said, { answers: [1, 1, 1, 1], failures: [], commits: 1, commitMs: 1 });
  assert.deepEqual(opened.keys(), ["c", "a", "b"]);
});

test("a write whose condition does not hold is an answer, and no failure", async () => {
  await using opened = await openGroupCommit();
  const said = opened.writer.commit([set("a"), set("a", "absent"), set("a", "=other"), set("b")]);
  assert.deepEqual(said, { answers: [1, 0, 0, 1], failures: [], commits: 1, commitMs: 1 });
});

test("a write that fails fails alone, and what it was to be read by finds nothing", async () => {
  await using opened = await openGroupCommit();
  const group = [set("a"), broken("b"), set("b", "=b", "b2"), set("c"), broken("d"), set("e")];
  const { answers, failures } = opened.writer.commit(group);
  assert.deepEqual(
    failures.map(({ at, why }) => [at, why]),
    [
      [1, "failed"],
      [4, "failed"],
    ],
  );
  assert.deepEqual([answers[0], answers[2], answers[3], answers[5]], [1, 0, 1, 1]);
  assert.deepEqual(opened.keys(), ["a", "c", "e"]);
});

test("a batch or a transaction with a write that fails leaves nothing behind", async () => {
  await using opened = await openGroupCommit();
  const { failures } = opened.writer.commit([
    ["stateBatch", [set("a"), broken("b") as StateSet]],
    ["stateTransact", 0, [[1, "x", null]], [set("c"), broken("d")]],
    set("e"),
  ]);
  assert.deepEqual(
    failures.map(({ at }) => at),
    [0, 1],
  );
  assert.deepEqual(opened.keys(), ["e"]);
});

test("a transaction whose checks do not hold answers no and writes nothing", async () => {
  await using opened = await openGroupCommit();
  const transact = (key: string, etag: string | null): WriteOp => [
    "stateTransact",
    0,
    [
      [1, "a", "a"],
      [1, key, etag],
    ],
    [set(`${key}-done`)],
  ];
  const group = [set("a"), transact("x", null), transact("a", null), transact("y", "other")];
  const { answers, failures } = opened.writer.commit(group);
  assert.deepEqual([answers, failures], [[1, true, false, false], []]);
  assert.deepEqual(opened.keys(), ["a", "x-done"]);
});

test("while another program writes, a group is refused as a whole", async () => {
  await using opened = await openGroupCommit();
  opened.database.exec("BEGIN IMMEDIATE");
  const { failures } = opened.writer.commit([set("a"), set("b")]);
  opened.database.exec("ROLLBACK");
  assert.deepEqual(
    failures.map(({ at, errcode, why }) => [at, errcode, why]),
    [
      [0, 5, "failed"],
      [1, 5, "failed"],
    ],
  );
  assert.deepEqual(opened.writer.commit([set("a")]).failures, []);
});

test("nothing is written while the path leads elsewhere", async () => {
  await using opened = await openGroupCommit();
  const { path, directory, writer } = opened;
  renameSync(path, directory.join("elsewhere"));
  assert.deepEqual(
    writer.commit([set("a")]).failures.map(({ why }) => why),
    ["moved"],
  );
  new DatabaseSync(path).close(); // another file in its place
  assert.deepEqual(
    writer.commit([set("a")]).failures.map(({ why }) => why),
    ["moved"],
  );
  renameSync(directory.join("elsewhere"), path);
  assert.deepEqual(writer.commit([set("b")]).failures, []);
  assert.deepEqual(opened.keys(), ["b"]);
});

test("nothing is written while the log is gone, which would be lost with the process", async () => {
  await using opened = await openGroupCommit();
  const { path, directory, writer } = opened;
  renameSync(`${path}-wal`, directory.join("log"));
  assert.deepEqual(
    writer.commit([set("a")]).failures.map(({ why }) => why),
    ["moved"],
  );
  renameSync(directory.join("log"), `${path}-wal`);
  assert.deepEqual(writer.commit([set("b")]).failures, []);
});
