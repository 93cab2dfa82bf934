/**
 * A restore that is killed before any one of its changes to the file system leaves the old data or
 * the new, whole. Run with arguments, this file is the child that is killed: the backup's folder,
 * the data directory, and the number of the change, from 1.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { systemClock } from "@banyan/kernel";
import { spawnNode, temporaryDirectory } from "@banyan/testbed";
import { restoreBackup } from "./backup-restore.ts";
import { openDataDirectory } from "./data-directory.ts";
import { migrate } from "./migrations.ts";

const changesMax = 100;
const [, , folder, target = "", change = ""] = process.argv;

if (folder === undefined) describeKills();
else await restoreUntil(folder, target, Number(change));

async function restoreUntil(from: string, to: string, last: number): Promise<void> {
  let left = last;
  const counted = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      left -= 1;
      if (left === 0) process.kill(process.pid, "SIGKILL");
      return call(...args);
    };
  };
  Object.assign(fs, {
    renameSync: counted(fs.renameSync),
    // Overloads do not survive the wrapping; it is called as before.
    mkdirSync: counted(fs.mkdirSync as (path: string) => unknown),
    rmSync: counted(fs.rmSync),
  });
  fs.promises.open = counted(fs.promises.open);
  syncBuiltinESMExports();
  await restoreBackup({ folder: from, dataDirectory: to, force: true, clock: systemClock });
}

/** A database of the current schema with rows that tell it from others. */
function writeDatabase(path: string, mark: string): void {
  const database = new DatabaseSync(path);
  migrate(database, path);
  for (let index = 0; index < 50; index += 1) {
    database.exec(`INSERT INTO stores (scope, name) VALUES ('${mark}', 'n${index}')`);
  }
  database.close();
}

function markOf(path: string): unknown {
  const database = new DatabaseSync(path);
  try {
    assert.equal(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    return database.prepare("SELECT scope FROM stores LIMIT 1").get()?.["scope"];
  } finally {
    database.close();
  }
}

interface Ending {
  readonly mark: unknown;
  /** The restore came to its end before the kill. */
  readonly finished: boolean;
}

async function killAt(number: number, cache: string): Promise<Ending> {
  await using place = await temporaryDirectory("restore-kill");
  fs.mkdirSync(place.join("backup"));
  writeDatabase(place.join("backup/state.db"), "new");
  const content = fs.readFileSync(place.join("backup/state.db"));
  const sha256 = createHash("sha256").update(content).digest("hex");
  const manifest = {
    format: 1,
    product: "banyan",
    version: "0.1.0",
    createdAt: "2026-11-21T00:00:00.000Z",
    files: [{ path: "state.db", bytes: content.length, sha256 }],
  };
  fs.writeFileSync(place.join("backup/manifest.json"), JSON.stringify(manifest));
  fs.mkdirSync(place.join("data"));
  writeDatabase(place.join("data/state.db"), "old");
  fs.writeFileSync(place.join("data/state.db-wal"), "");
  await using child = spawnNode(
    import.meta.filename,
    [place.join("backup"), place.join("data"), String(number)],
    { env: { NODE_COMPILE_CACHE: cache } },
  );
  const { code } = await child.exited;
  assert.ok(code === 0 || code === null, child.stderr);
  // Opened and let go: that alone finishes what was begun.
  await (await openDataDirectory(place.join("data"))).close();
  const mark = markOf(place.join("data/state.db"));
  const left = fs.readdirSync(place.join("data"));
  const aside = left.filter((name) => name.startsWith("replaced-"));
  assert.equal(aside.length, mark === "new" ? 1 : 0, `change ${number}: ${left.join()}`);
  for (const name of aside) assert.equal(markOf(place.join("data", name, "state.db")), "old");
  assert.ok(!left.includes("restore-ready"), `change ${number}`);
  return { mark, finished: code === 0 };
}

function describeKills(): void {
  test("a kill before any change leaves the old or the new, and it is whole", async (context) => {
    await using cache = await temporaryDirectory("compile-cache");
    const marks: unknown[] = [];
    for (let number = 1; number < changesMax; number += 2) {
      const endings = await Promise.all(
        [number, number + 1].map((each) => killAt(each, cache.path)),
      );
      marks.push(...endings.map(({ mark }) => mark));
      if (endings.some(({ finished }) => finished)) break;
    }
    context.diagnostic(`${marks.length} restores: ${marks.join(" ")}`);
    const decided = marks.indexOf("new");
    assert.ok(decided > 0, "some were killed before it was decided");
    assert.ok(
      marks.slice(decided).every((mark) => mark === "new"),
      marks.join(),
    );
    assert.ok(marks.length > decided + 2, "and some after");
    assert.ok(marks.length < changesMax, "the restore ends");
  });
}
