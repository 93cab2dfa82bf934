/** Checking and restoring backups, on real files and damaged ones. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { isBanyanError, systemClock } from "@banyan/kernel";
import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import { checkBackup, verifyBackup } from "./backup-check.ts";
import { parseManifest } from "./backup-manifest.ts";
import { restoreBackup } from "./backup-restore.ts";
import type { RestoreReport } from "./backup-restore.ts";
import { openDataDirectory } from "./data-directory.ts";
import { migrate, migrations } from "./migrations.ts";

/** A database of the current schema with one row that tells it from others. */
function writeDatabase(path: string, mark: string, rows = 1): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  migrate(database, path);
  for (let index = 0; index < rows; index += 1) {
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

function writeManifest(folder: string, changes: object = {}): void {
  const files = readdirSync(folder)
    .filter((name) => name !== "manifest.json")
    .map((path) => {
      const content = readFileSync(join(folder, path));
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { path, bytes: content.length, sha256 };
    });
  const head = { format: 1, product: "banyan", version: "0.1.0", durationMs: 1 };
  const manifest = { ...head, createdAt: "2026-11-21T00:00:00.000Z", files, ...changes };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
}

/** A folder with a sound backup in `backup`. */
async function makeBackup(rows?: number): Promise<TemporaryDirectory> {
  const place = await temporaryDirectory("backup");
  mkdirSync(place.join("backup"));
  writeDatabase(place.join("backup/state.db"), "new", rows);
  writeManifest(place.join("backup"));
  return place;
}

function restore(place: TemporaryDirectory, force = false): Promise<RestoreReport> {
  const folder = place.join("backup");
  return restoreBackup({ folder, dataDirectory: place.join("data"), force, clock: systemClock });
}

async function problemsOf(place: TemporaryDirectory): Promise<string[]> {
  const { problems } = await checkBackup(place.join("backup"));
  return problems.map(({ path, message }) => `${path} ${message}`);
}

describe("checking a backup", () => {
  test("what was written is sound, and looking at it changes nothing", async () => {
    await using place = await makeBackup();
    const before = readdirSync(place.join("backup"));
    assert.deepEqual(await problemsOf(place), []);
    assert.equal((await verifyBackup(place.join("backup"))).files[0]?.path, "state.db");
    assert.deepEqual(readdirSync(place.join("backup")), before);
  });

  test("a flipped bit, a cut file, a missing and a foreign one are named", async () => {
    await using place = await makeBackup(2000);
    const file = place.join("backup/state.db");
    const content = readFileSync(file);
    const flipped = Buffer.from(content);
    flipped.writeUInt8(flipped.readUInt8(5000) ^ 1, 5000);
    writeFileSync(file, flipped);
    assert.match((await problemsOf(place)).join(), /^state\.db has another content/);
    writeFileSync(file, content.subarray(0, 4096));
    assert.match((await problemsOf(place)).join(), /^state\.db has 4096 bytes, \d+ were written/);
    writeFileSync(file, content);
    writeFileSync(place.join("backup/state.db-wal"), "x");
    assert.match((await problemsOf(place)).join(), /^state\.db-wal is not in the manifest/);
    writeManifest(place.join("backup"), {
      files: [{ path: "gone.db", bytes: 1, sha256: "0".repeat(64) }],
    });
    assert.match((await problemsOf(place)).join(), /^gone\.db is missing/);
  });

  test("a database that was damaged before the copy is found by SQLite's own check", async () => {
    await using place = await makeBackup(2000);
    const file = place.join("backup/state.db");
    const content = readFileSync(file);
    content.fill(0xff, 8192, 12_288);
    writeFileSync(file, content);
    writeManifest(place.join("backup"));
    assert.match((await problemsOf(place)).join(), /^state\.db is damaged: /);
  });

  test("another schema than that of the version in the file is named", async () => {
    await using place = await makeBackup();
    const change = (sql: string): void => {
      const database = new DatabaseSync(place.join("backup/state.db"));
      database.exec(`PRAGMA journal_mode = DELETE; ${sql}`);
      database.close();
      writeManifest(place.join("backup"));
    };
    change("CREATE TABLE stray (a)");
    assert.match((await problemsOf(place)).join(), /^state\.db has a table stray that is not of/);
    change("DROP TABLE stray; DROP TABLE entries");
    assert.match((await problemsOf(place)).join(), /lacks the table entries of schema \d+/);
    change("PRAGMA user_version = 999");
    assert.match((await problemsOf(place)).join(), /has schema 999.*use the newer version/);
  });

  test("a backup of an older schema is sound: the next start brings it up to date", async () => {
    await using place = await makeBackup();
    const file = place.join("backup/state.db");
    rmSync(file);
    const database = new DatabaseSync(file);
    migrate(database, file, migrations.slice(0, 1));
    database.close();
    writeManifest(place.join("backup"));
    assert.deepEqual(await problemsOf(place), []);
  });

  test("a folder without a manifest is no backup, and one of a later format says so", async () => {
    await using place = await makeBackup();
    await assert.rejects(checkBackup(place.path), (error) =>
      isBanyanError(error, "BACKUP_NOT_FOUND"),
    );
    writeManifest(place.join("backup"), { format: 2, version: "9.0.0" });
    await assert.rejects(checkBackup(place.join("backup")), (error) => {
      assert.ok(isBanyanError(error, "BACKUP_NEWER"));
      assert.match(String(error.details?.["fix"]), /9\.0\.0/);
      return true;
    });
  });

  test("a manifest cannot lead out of its folder, nor lack what it must say", () => {
    const sha256 = "0".repeat(64);
    const file = { path: "a/b.db", bytes: 1, sha256 };
    const head = { format: 1, product: "banyan", version: "1", createdAt: "2026-01-01T00:00:00Z" };
    const good = { ...head, files: [file] };
    assert.equal(parseManifest(good, "m").files[0]?.path, "a/b.db");
    const wrong: [unknown, RegExp][] = [
      [1, /not an object/],
      [{ ...good, product: "other" }, /not of this platform/],
      [{ ...good, format: "1" }, /format is "1"/],
      [{ ...good, files: [] }, /lists no files/],
      [{ ...good, createdAt: "soon" }, /when it was created/],
      ...["../x", "/x", "a//b", "a/../../b", "a\\b", ".", ""].map((path): [unknown, RegExp] => [
        { ...good, files: [{ ...file, path }] },
        /no path below/,
      ]),
      [{ ...good, files: [{ ...file, bytes: -1 }] }, /no size/],
      [{ ...good, files: [{ ...file, sha256: "x" }] }, /no checksum/],
    ];
    for (const [value, message] of wrong) {
      assert.throws(() => parseManifest(value, "m"), message, JSON.stringify(value));
    }
  });
});

describe("restoring a backup", () => {
  test("an empty directory gets the data, readable by its owner alone", async () => {
    await using place = await makeBackup();
    const { replaced, manifest } = await restore(place);
    assert.equal(replaced, undefined);
    assert.equal(manifest.version, "0.1.0");
    assert.equal(markOf(place.join("data/state.db")), "new");
    assert.equal(statSync(place.join("data/state.db")).mode & 0o077, 0);
    assert.ok(!existsSync(place.join("data/restore-ready")));
  });

  test("a directory with data is refused, and with force its files are kept aside", async () => {
    await using place = await makeBackup();
    mkdirSync(place.join("data"));
    writeDatabase(place.join("data/state.db"), "old");
    writeFileSync(place.join("data/state.db-wal"), "left by a kill");
    writeFileSync(place.join("data/admin-token"), "mine");
    await assert.rejects(restore(place), (error) => {
      assert.ok(isBanyanError(error, "RESTORE_TARGET_HOLDS_DATA"));
      assert.match(error.message, /state\.db-wal, state\.db/);
      return true;
    });
    const { replaced = "" } = await restore(place, true);
    assert.match(replaced, /\/data\/replaced-\d{8}T\d{9}Z$/);
    assert.deepEqual(readdirSync(replaced).toSorted(), ["state.db", "state.db-wal"]);
    assert.equal(readFileSync(join(replaced, "state.db-wal"), "utf8"), "left by a kill");
    assert.equal(markOf(place.join("data/state.db")), "new");
    assert.equal(readFileSync(place.join("data/admin-token"), "utf8"), "mine");
  });

  test("while a node runs there it is refused with its pid", async () => {
    await using place = await makeBackup();
    await using _running = await openDataDirectory(place.join("data"));
    await assert.rejects(restore(place), (error) => {
      assert.ok(isBanyanError(error, "DATA_DIRECTORY_LOCKED"));
      assert.equal(error.details?.["pid"], process.pid);
      return true;
    });
  });

  test("a folder that is no backup leaves no data directory behind", async () => {
    await using place = await makeBackup();
    rmSync(place.join("backup/manifest.json"));
    await assert.rejects(restore(place), (error) => isBanyanError(error, "BACKUP_NOT_FOUND"));
    assert.ok(!existsSync(place.join("data")));
  });

  test("an unsound backup changes nothing", async () => {
    await using place = await makeBackup();
    mkdirSync(place.join("data"));
    writeDatabase(place.join("data/state.db"), "old");
    writeFileSync(place.join("backup/state.db"), "x");
    await assert.rejects(restore(place, true), (error) => isBanyanError(error, "BACKUP_UNSOUND"));
    assert.equal(markOf(place.join("data/state.db")), "old");
  });
});
