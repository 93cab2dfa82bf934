/**
 * The program of a file's threads; started by `write-queue.ts` and `reader-thread.ts`, never
 * imported. It stands alone, with nothing of the platform, so that it starts in milliseconds.
 */

import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { GroupCommit } from "./group-commit.ts";
import { resultCodeOf } from "./result-code.ts";
import { StatementCache } from "./statement-cache.ts";
import type { ReadAnswer, ReadRequest, ThreadStart, WriteGroup } from "./thread-messages.ts";

if (parentPort !== null) {
  // What `thread.ts` passes, and nobody else starts this file.
  const start = workerData as ThreadStart;
  if (start.role === "writer") serveWrites(parentPort, start);
  else serveReads(parentPort, start);
}

function serveWrites(port: MessagePort, start: ThreadStart): void {
  const writer = new GroupCommit({ ...start, monotonicMs: () => performance.now() });
  port.on("message", (group: WriteGroup | "close") => {
    if (group !== "close") {
      port.postMessage(writer.commit(group));
      return;
    }
    writer.close();
    port.close();
  });
}

function serveReads(port: MessagePort, start: ThreadStart): void {
  let database: DatabaseSync | undefined;
  let statements: StatementCache | undefined;
  port.on("message", (request: ReadRequest | "close") => {
    if (request === "close") {
      database?.close();
      port.close();
      return;
    }
    try {
      database ??= openReading(start);
      statements ??= new StatementCache(database);
      port.postMessage(answerOf(request, database, statements));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failed: ReadAnswer = { kind: "failed", errcode: resultCodeOf(error), message };
      port.postMessage(failed);
    }
  });
}

function openReading({ path, busyTimeoutMs }: ThreadStart): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true });
  database.exec("PRAGMA trusted_schema = OFF");
  return database;
}

function answerOf(
  request: ReadRequest,
  database: DatabaseSync,
  statements: StatementCache,
): ReadAnswer {
  if (request.kind === "all") {
    return { kind: "rows", rows: statements.all(request.sql, request.values) };
  }
  const { temporary, file } = request;
  try {
    copyInto(database, temporary);
    renameSync(temporary, file);
    // The new name lasts once its folder is on disk; Windows has no way to ask for that.
    if (process.platform !== "win32") syncPath(dirname(file), "r");
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  return { kind: "written" };
}

/** A consistent copy without gaps, read through once, and on disk. */
function copyInto(database: DatabaseSync, path: string): void {
  rmSync(path, { force: true });
  // Its owner's alone from the first byte on: SQLite writes into an empty file as it finds it.
  closeSync(openSync(path, "wx", 0o600));
  database.prepare("VACUUM INTO ?").run(path);
  {
    using copy = new DatabaseSync(path, { readOnly: true });
    const said = copy.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
    if (said !== "ok") throw new Error(`The copy of the database is damaged: ${String(said)}`);
  }
  syncPath(path, "r+");
}

function syncPath(path: string, flags: "r" | "r+"): void {
  const descriptor = openSync(path, flags);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
