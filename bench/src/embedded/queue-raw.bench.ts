/**
 * Subject: a queue table in `node:sqlite` by hand: as many jobs as are in flight go in with one
 * commit and, once handled, out with another. Argument: file.
 */

import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { loopDelay } from "../loop-delay.ts";
import { numberOf, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { recordAt } from "./records.ts";

const [file = ""] = process.argv.slice(2);
const database = new DatabaseSync(file);
database.exec(
  `PRAGMA journal_mode = WAL;
   PRAGMA synchronous = FULL;
   CREATE TABLE IF NOT EXISTS jobs (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL,
     topic TEXT NOT NULL,
     timestamp INTEGER NOT NULL,
     body TEXT NOT NULL,
     headers TEXT NOT NULL
   ) STRICT`,
);
const append = database.prepare("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)");
const read = database.prepare("SELECT seq, body FROM jobs WHERE seq > ? ORDER BY seq LIMIT ?");
read.setReturnArrays(true);
const remove = database.prepare("DELETE FROM jobs WHERE seq = ?");
const headers = JSON.stringify({ source: "bench", schemaVersion: "1" });
let last = 0;
let handled = 0;

function transaction(work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  work();
  database.exec("COMMIT");
}

async function queueJobs(count: number): Promise<number> {
  const before = last;
  transaction(() => {
    for (let job = 0; job < count; job += 1) {
      last += 1;
      const body = JSON.stringify(recordAt(last));
      append.run(last, randomUUID(), "bench.jobs", Date.now(), body, headers);
    }
  });
  await setImmediate();
  // Rows as arrays, by `setReturnArrays`; the driver's types know records only.
  const rows = read.all(before, count) as unknown as readonly (readonly [number, string])[];
  for (const [, body] of rows) if (JSON.parse(body) !== null) handled += 1;
  transaction(() => {
    for (const [seq] of rows) remove.run(seq);
  });
  await setImmediate();
  return rows.length;
}

serveMeasures({
  jobs: (question) => {
    const { durationMs = 0 } = question;
    const count = numberOf(question, "inFlight");
    return loopDelay(() => steadyRate({ durationMs, inFlight: 1 }, () => queueJobs(count)));
  },
});
