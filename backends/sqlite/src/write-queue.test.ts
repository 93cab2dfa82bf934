import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { isBanyanError } from "@banyan/kernel";
import { createRecordingLog, temporaryDirectory } from "@banyan/testbed";
import { identityOf } from "./file-identity.ts";
import { migrate } from "./migrations.ts";
import type { StateSet } from "./state-ops.ts";
import { startThread } from "./thread.ts";
import { WriteQueue } from "./write-queue.ts";

async function openQueue(options: { readonly writesWaitingMax?: number } = {}) {
  const { writesWaitingMax = 1_000_000 } = options;
  const directory = await temporaryDirectory("queue");
  const path = directory.join("state.db");
  const database = new DatabaseSync(path, { timeout: 1000 });
  database.exec("PRAGMA journal_mode = WAL");
  migrate(database, path);
  let thread: Worker | undefined;
  const log = createRecordingLog();
  const queue = new WriteQueue({
    path,
    identity: identityOf(path),
    busyTimeoutMs: 10_000,
    writesWaitingMax,
    log,
    start: (start) => (thread = startThread(start)),
  });
  await queue.write(["stateOpen", "a", "b"]);
  return {
    queue,
    database,
    log,
    kill: () => thread?.terminate(),
    count: () => Number(database.prepare("SELECT count(*) AS n FROM entries").get()?.["n"]),
    async [Symbol.asyncDispose]() {
      await queue.close();
      database.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function set(key: string, value = "1"): StateSet {
  return ["stateSet", 1, false, 0, key, value, key, 1, null, ""];
}

function hasCode(code: string) {
  return (error: unknown) => isBanyanError(error, code);
}

test("what is written in one turn is one commit, or two that alternate", async () => {
  await using opened = await openQueue();
  const { queue } = opened;
  const before = queue.commits;
  await Promise.all(Array.from({ length: 64 }, (_, index) => queue.write(set(`key-${index}`))));
  assert(queue.commits - before <= 2, `${queue.commits - before} commits`);
  assert.equal(opened.count(), 64);
});

test("groups are bounded in writes and in text, and all of it arrives in order", async () => {
  await using opened = await openQueue();
  const { queue } = opened;
  const before = queue.commits;
  const order: number[] = [];
  const small = Array.from({ length: 3000 }, async (_, index) => {
    await queue.write(set(`small-${index}`));
    order.push(index);
  });
  await Promise.all(small);
  const commits = queue.commits - before;
  assert(commits === 3 || commits === 4, `${commits} commits`);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  const large = JSON.stringify("x".repeat(3 * 1024 * 1024));
  await Promise.all([0, 1, 2].map((index) => queue.write(set(`large-${index}`, large))));
  assert.equal(queue.commits - before, commits + 3);
  assert.equal(opened.count(), 3003);
});

test("more writes than may wait are refused at once, and nothing of them is written", async () => {
  await using opened = await openQueue({ writesWaitingMax: 10 });
  const { queue } = opened;
  const writes = Array.from({ length: 12 }, (_, index) => queue.write(set(`key-${index}`)));
  const ended = await Promise.allSettled(writes);
  assert.deepEqual(
    ended.map(({ status }) => status),
    [...Array.from({ length: 10 }, () => "fulfilled"), "rejected", "rejected"],
  );
  await assert.rejects(writes[11] ?? Promise.resolve(), hasCode("SQLITE_WRITE_QUEUE_FULL"));
  assert.equal(opened.count(), 10);
  await queue.write(set("later"));
});

test("when the thread dies, what it had is unknown and nothing is written any more", async () => {
  await using opened = await openQueue();
  const { queue, database } = opened;
  // The file is held, so the first group is with the thread and the rest waits behind it.
  database.exec("BEGIN IMMEDIATE");
  const writes = [1, 2, 3].map(async (turn) => {
    for (let index = 1; index < turn; index += 1) await new Promise(setImmediate);
    await queue.write(set(`key-${turn}`));
  });
  const ended = Promise.allSettled(writes);
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  const killed = opened.kill();
  const codes = (await ended).map((end) =>
    end.status === "rejected" && isBanyanError(end.reason) ? end.reason.code : "done",
  );
  database.exec("ROLLBACK");
  await killed;
  assert.deepEqual(codes, [
    "SQLITE_OUTCOME_UNKNOWN",
    "SQLITE_WRITER_STOPPED",
    "SQLITE_WRITER_STOPPED",
  ]);
  await assert.rejects(queue.write(set("late")), hasCode("SQLITE_WRITER_STOPPED"));
  assert.equal(queue.stopped?.code, "SQLITE_WRITER_STOPPED");
  assert.equal(opened.log.lines.length, 1);
  assert.equal(opened.count(), 0);
});

test("closing waits for what was handed over and takes nothing more", async () => {
  await using opened = await openQueue();
  const { queue } = opened;
  const write = queue.write(set("key"));
  const closed = queue.close();
  await assert.rejects(queue.write(set("late")), hasCode("CLOSED"));
  await Promise.all([write, closed, queue.close()]);
  assert.equal(opened.count(), 1);
});

test("what cannot cross to the thread is refused, and the rest of its group is done", async () => {
  await using opened = await openQueue();
  const { queue } = opened;
  // Types do not let it happen; values from elsewhere may.
  const wrong = (() => 1) as unknown as string;
  const writes = [set("a"), set("b", wrong), set("c")].map((op) => queue.write(op));
  const ended = await Promise.allSettled(writes);
  assert.deepEqual(
    ended.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  await assert.rejects(writes[1] ?? Promise.resolve(), /holds a value that is no plain data/);
  await assert.rejects(queue.write(set("alone", wrong)), hasCode("SQLITE_FAILED"));
  assert.equal(queue.lastFailure, undefined);
  await queue.settled();
  assert.equal(opened.count(), 2);
});

test("who waits for what was handed over does not wait for what comes later", async () => {
  await using opened = await openQueue();
  const { queue } = opened;
  let isSettled = false;
  const first = queue.write(set("first"));
  const settled = queue.settled().then(() => (isSettled = true));
  let last = queue.write(set("later"));
  const going = (async () => {
    while (!isSettled) {
      await new Promise(setImmediate);
      last = queue.write(set("later"));
    }
  })();
  await Promise.all([settled, first, going]);
  await last;
});
