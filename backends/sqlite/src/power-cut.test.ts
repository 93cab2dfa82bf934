/**
 * A power cut, simulated: the log ends somewhere, in the middle of a write or before it, and what
 * stands behind is gone or zeroes. Every commit that is whole in what is left must be there, none
 * by half.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createSeededRandom, t } from "@banyan/kernel";
import type { Random } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { seedOf, temporaryDirectory } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";

const CUTS = 240;
const COMMITS = 60;
const OPENED_EVERY = 24; // a whole engine for each would be threads without end

const spec = {
  value: t.Object({ n: t.Integer(), text: t.String() }),
  durability: "durable",
} as const;
const where = { scope: "power", name: "cut", spec } as const;

test(`${CUTS} cuts of the log: every whole commit is there, none by half`, async (context) => {
  const seed = seedOf();
  context.diagnostic(`seed ${seed}`);
  const random = createSeededRandom(seed);
  await using directory = await temporaryDirectory("power");
  const { ends, log, database } = await write(directory.path, random);
  const cut = directory.join("cut.db");
  const kept: number[] = [];
  for (let round = 0; round < CUTS; round += 1) {
    const at = Math.floor(random.next() * (log.length + 1));
    // Half of the file systems leave zeroes where nothing was written.
    const left = Buffer.alloc(random.next() < 0.5 ? at : log.length);
    log.copy(left, 0, 0, at);
    copyFileSync(database, cut);
    writeFileSync(`${cut}-wal`, left);
    writeFileSync(`${cut}-shm`, "");
    // Zeroes in the place of zeroes are no cut: pages often end in them.
    const isThere = (end: number): boolean => left.subarray(0, end).equals(log.subarray(0, end));
    const whole = ends.filter(isThere).length;
    assertIsCut(cut, whole);
    kept.push(whole);
    if (round % OPENED_EVERY === 0) await assertGoesOn(cut, whole);
  }
  assert(new Set(kept).size > COMMITS / 3, "the cuts were all in one place");
});

/** Makes commits one by one; where each one ends in the log, and file and log at the end. */
async function write(folder: string, random: Random) {
  const path = `${folder}/state.db`;
  {
    // Schema and store are in the file itself before the log begins.
    await using engine = await openSqlite({ file: path });
    await openStore(engine, where);
  }
  await using engine = await openSqlite({ file: path });
  const store = await openStore(engine, where);
  const database = `${folder}/start.db`;
  // Nothing is moved from the log into the file below a thousand pages: this is how it stays.
  copyFileSync(path, database);
  const ends: number[] = [];
  for (let n = 1; n <= COMMITS; n += 1) {
    const text = "x".repeat(Math.floor(random.next() ** 4 * 30_000));
    const entries = ["a", "b", "c"].map((part) => [`${n}-${part}`, { n, text }] as const);
    await store.setMany([...entries, ["count", { n, text: "" }]]);
    ends.push(statSync(`${path}-wal`).size);
  }
  return { ends, log: readFileSync(`${path}-wal`), database };
}

function assertIsCut(path: string, commits: number): void {
  using database = new DatabaseSync(path);
  const [check] = database.prepare("PRAGMA integrity_check").all();
  assert.deepEqual({ ...check }, { integrity_check: "ok" });
  const keys = database.prepare("SELECT key FROM entries ORDER BY key").all();
  const expected = Array.from({ length: commits }, (_, index) => index + 1).flatMap((n) =>
    ["a", "b", "c"].map((part) => `${n}-${part}`),
  );
  if (commits > 0) expected.push("count");
  assert.deepEqual(new Set(keys.map((row) => row["key"])), new Set(expected));
  const count = database.prepare("SELECT value FROM entries WHERE key = 'count'").get();
  const value = String(count?.["value"] ?? '{"n":0}');
  assert.match(value, new RegExp(`"n":${commits}\\b`));
}

/** The engine finds it so too, and writes on. */
async function assertGoesOn(path: string, commits: number): Promise<void> {
  await using engine = await openSqlite({ file: path });
  const store = await openStore(engine, where);
  assert.equal((await store.get("count"))?.n ?? 0, commits);
  await store.set("after", { n: 1, text: "" });
  assert.equal((await store.get("after"))?.n, 1);
}
