import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { silentLog } from "@banyan/kernel";
import type { JournalAppend } from "@banyan/messaging/internal";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import { openSqliteFile } from "./sqlite-file.ts";
import { openSqliteJournal } from "./sqlite-journal.ts";

function appendOf(group: number, seq: number): JournalAppend {
  const message = {
    id: `message-${seq}`,
    topic: "account.created",
    timestampMs: 1000,
    body: null,
    headers: { source: "account" },
    orderingKey: undefined,
  };
  return { message, deliverAtMs: undefined, expiresAtMs: undefined, groups: [{ group, seq }] };
}

/** A journal with ten messages in one group; `other` is another program on its file. */
async function openTen() {
  const folder = await temporaryDirectory("writes");
  const path = folder.join("state.db");
  const clock = new FakeClock();
  const file = await openSqliteFile({ path, clock, busyTimeoutMs: 20 });
  const journal = await openSqliteJournal({ file, log: silentLog, clock });
  const changes: boolean[] = [];
  journal.onTakesWrites = () => changes.push(journal.takesWrites);
  const group = await journal.openGroup({
    name: "mailer.welcome",
    topic: "account.created",
    retentionMs: undefined,
  });
  await journal.append(Array.from({ length: 10 }, (_, index) => appendOf(group, index + 1)));
  const other = new DatabaseSync(path);
  return {
    path,
    clock,
    journal,
    changes,
    group,
    other,
    left: () => Number(other.prepare("SELECT count(*) AS n FROM bus_queue").get()?.["n"]),
    async [Symbol.asyncDispose]() {
      other.close();
      await journal.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

test("an acknowledgement that fails is tried again until it is safe", async () => {
  await using opened = await openTen();
  const { journal, clock, changes, group, other } = opened;
  other.exec("BEGIN IMMEDIATE");
  for (const seq of [1, 2, 3]) journal.acknowledge(group, seq);
  await until(() => !journal.takesWrites);
  assert.equal(journal.unacknowledged, 3);
  journal.acknowledge(group, 4);
  // A try that fails makes the pause to the next one longer, up to five seconds.
  const pauses: number[] = [];
  for (let tries = 0; tries < 8; tries += 1) {
    pauses.push(await clock.advanceToNext());
    await until(() => clock.pending.length === 1);
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assert.equal(journal.unacknowledged, 4);
  other.exec("COMMIT");
  await clock.advanceToNext();
  await until(() => journal.takesWrites);
  assert.equal(journal.unacknowledged, 0);
  assert.deepEqual(changes, [false, true]);
  assert.equal(opened.left(), 6);
  assert.equal(clock.pending.length, 0);
});

test("the next write takes along what failed, before itself", async () => {
  await using opened = await openTen();
  const { journal, clock, changes, group, other } = opened;
  other.exec("BEGIN IMMEDIATE");
  for (const seq of [5, 6]) journal.acknowledge(group, seq);
  await until(() => !journal.takesWrites);
  other.exec("COMMIT");
  await journal.append([appendOf(group, 11)]);
  assert.equal(journal.unacknowledged, 0);
  assert.equal(opened.left(), 9);
  assert.deepEqual(changes, [false, true]);
  assert.equal(clock.pending.length, 0);
});

test("a refused append tells that the file takes nothing, a small write that it does", async () => {
  await using opened = await openTen();
  const { journal, clock, changes, group, other } = opened;
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects(journal.append([appendOf(group, 11)]), { code: "MESSAGING_UNAVAILABLE" });
  assert.equal(journal.takesWrites, false);
  await assert.rejects(
    Promise.try(() => journal.check()),
    { code: "MESSAGING_UNAVAILABLE" },
  );
  other.exec("COMMIT");
  await clock.advanceToNext();
  await until(() => journal.takesWrites);
  await journal.check();
  assert.deepEqual(changes, [false, true]);
  assert.equal(opened.left(), 10);
});

test("a write that is wrong in itself says nothing about the file", async () => {
  await using opened = await openTen();
  const { journal, changes, group, other } = opened;
  await assert.rejects(journal.append([appendOf(group, 1)]), { code: "MESSAGING_UNAVAILABLE" });
  assert.deepEqual([journal.takesWrites, changes], [true, []]);
  // Nothing is tried: that would fail now.
  other.exec("BEGIN IMMEDIATE");
  await journal.check();
  other.exec("COMMIT");
});

test("after the writer's death nothing is tried any more, and what is unsafe is told", async () => {
  let writer: Worker | undefined;
  const onWorker = (message: unknown): void => {
    // What Node.js publishes on this channel.
    writer ??= (message as { readonly worker: Worker }).worker;
  };
  subscribe("worker_threads", onWorker);
  await using opened = await openTen();
  unsubscribe("worker_threads", onWorker);
  const { journal, clock, changes, group } = opened;
  assert(writer !== undefined);
  await writer.terminate();
  for (const seq of [1, 2]) journal.acknowledge(group, seq);
  await until(() => !journal.takesWrites);
  assert.equal(clock.pending.length, 0);
  await journal.close();
  assert.equal(journal.unacknowledged, 2);
  assert.deepEqual(changes, [false]);
  assert.equal(opened.left(), 10);
});

test("closing tries once more what failed", async () => {
  await using opened = await openTen();
  const { journal, clock, group, other } = opened;
  other.exec("BEGIN IMMEDIATE");
  journal.acknowledge(group, 1);
  await until(() => !journal.takesWrites);
  other.exec("COMMIT");
  await journal.close();
  assert.equal(journal.unacknowledged, 0);
  assert.equal(opened.left(), 9);
  assert.equal(clock.pending.length, 0);
});
