// Subject: unstorage. Arguments: driver, folder, keys.
//
//   fs           a file per key, written without fsync: survives a killed process, no power cut
//   sqlite       db0 on node:sqlite as it comes: rollback journal, synchronous FULL
//   sqlite-wal   the same with the write-ahead log: as durable, and its best
//
// Plain JavaScript: the declarations of unstorage and db0 do not pass a strict compiler.

import { join } from "node:path";
import { createDatabase } from "db0";
import nodeSqlite from "db0/connectors/node-sqlite";
import { createStorage } from "unstorage";
import db0Driver from "unstorage/drivers/db0";
import fsDriver from "unstorage/drivers/fs";
import { steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { keyAt, recordAt, uniformIndexes, uniformKeys } from "./records.ts";

const [driver, folder, count] = process.argv.slice(2);
const keys = Number(count);
// The driver warns on every start that it is experimental; standard error is the bench's own.
console.warn = () => undefined;
let database;
const storage = createStorage({ driver: await openDriver() });
const nextKey = uniformKeys(keys);
const nextIndex = uniformIndexes(keys);
await fill();
const first = await storage.getItem(keyAt(0));
if (JSON.stringify(first) !== JSON.stringify(recordAt(0))) throw new Error("not what was kept");

/** In one transaction where there are any: a commit for each of them takes minutes. */
async function fill() {
  await storage.setItem(keyAt(0), recordAt(0)); // makes the table
  await database?.exec("BEGIN");
  for (let index = 1; index < keys; index += 1) {
    await storage.setItem(keyAt(index), recordAt(index));
  }
  await database?.exec("COMMIT");
}

async function openDriver() {
  if (driver === "fs") return fsDriver({ base: join(folder, "files") });
  database = createDatabase(nodeSqlite({ path: join(folder, `${driver}.db`) }));
  if (driver === "sqlite-wal") await database.exec("PRAGMA journal_mode = WAL");
  return db0Driver({ database });
}

const get = async () => {
  if ((await storage.getItem(nextKey())) === null) throw new Error("a record is not there");
  return 1;
};
const set = async () => {
  await storage.setItem(nextKey(), recordAt(nextIndex(), 1));
  return 1;
};

serveMeasures({
  get: (question) => steadyRate(question, get),
  sets: (question) => steadyRate(question, set),
});
