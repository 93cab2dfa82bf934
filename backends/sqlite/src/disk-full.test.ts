/**
 * A disk that is full, for real: a small file system in memory that only the child sees, and a
 * limit on the size of files. Run with arguments, this file is that child.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { spawnProgram, temporaryDirectory } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";

const [, , folder, scenario] = process.argv;

if (folder === undefined) describeFullDisk();
else if (scenario === "full") await fillDisk(folder);
else await hitLimit(folder);

function describeFullDisk(): void {
  const canMount = spawnSync("sh", ["-c", "unshare -Urm true"]).status === 0;
  const skip = canMount ? false : "this system lets no user mount a file system of his own";
  test("a full disk refuses by name, and is written to again", { skip }, async () => {
    await using directory = await temporaryDirectory("full");
    const run = `mount -t tmpfs -o size=3m tmpfs "$1" && ${startOf("full")}`;
    await using child = inShell(`exec unshare -Urm sh -c '${run}' "$0" "$@"`, directory.path);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, said(child));
  });

  test("a commit that the system breaks off is unknown, and the last", async () => {
    await using directory = await temporaryDirectory("limit");
    // No file may grow beyond 1 MiB.
    await using child = inShell(`ulimit -f 2048; ${startOf("limit")}`, directory.path);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, said(child));
    // The next start finds what was acknowledged, and writes on.
    await using engine = await openSqlite({ file: directory.join("state.db") });
    const store = await openBlobs(engine);
    const count = Number(child.lines.at(-1)?.text);
    for (let index = 0; index < count; index += 1) assert(await store.has(`key-${index}`));
    await store.set("after", "x");
  });
}

/** This file as a child, in the words of a shell: node is `$0`, then its folder and this file. */
function startOf(name: string): string {
  return `exec "$0" --conditions=source "$2" "$1" ${name}`;
}

function inShell(script: string, path: string): Child {
  return spawnProgram("sh", ["-c", script, process.execPath, path, import.meta.filename]);
}

function said({ lines }: Child): string {
  return lines.map(({ text }) => text).join("\n");
}

function openBlobs(engine: StateEngine): Promise<Store<string>> {
  const spec = { value: t.String(), durability: "durable" } as const;
  return openStore(engine, { scope: "full", name: "disk", spec });
}

/** What a write was refused with, by the engine's own code. */
function codeOf(error: unknown): string {
  const reason = isBanyanError(error, "STATE_ENGINE_UNAVAILABLE") ? error.cause : error;
  return isBanyanError(reason) ? reason.code : String(reason);
}

async function fillDisk(path: string): Promise<void> {
  const file = join(path, "state.db");
  const kept = new Map<string, string>();
  // What somebody will find to delete.
  writeFileSync(join(path, "letters.txt"), Buffer.alloc(1024 * 1024));
  {
    await using engine = await openSqlite({ file });
    const store = await openBlobs(engine);
    // Many at once and too large together: some of a group fit.
    const refused = await writeUntilFull(store, kept);
    assert(kept.size > 0 && refused.length > 0);
    for (const key of refused) assert.equal(await store.has(key), false);
    await assertAll(store, kept);
    // Now to the last byte.
    const { bavail, bsize } = statfsSync(path);
    writeFileSync(join(path, "filler"), Buffer.alloc(bavail * bsize));
    await writeSmallUntilFull(store, kept);
    await assert.rejects(store.set("small", "x"), (error) => codeOf(error) === "SQLITE_DISK_FULL");
    await assert.rejects(
      Promise.try(() => engine.check()),
      (error) => codeOf(error) === "SQLITE_DISK_FULL",
    );
    await assertAll(store, kept);
    rmSync(join(path, "letters.txt"));
    await engine.check();
    await store.set("again", "x");
    kept.set("again", "x");
    await engine.check();
  }
  await using engine = await openSqlite({ file });
  await assertAll(await openBlobs(engine), kept);
  using database = new DatabaseSync(file, { readOnly: true });
  const [check] = database.prepare("PRAGMA integrity_check").all();
  assert.deepEqual({ ...check }, { integrity_check: "ok" });
}

/** Answers the keys that were refused. */
async function writeUntilFull(store: Store<string>, kept: Map<string, string>): Promise<string[]> {
  const refused: string[] = [];
  for (let round = 0; refused.length === 0; round += 1) {
    const writes = Array.from({ length: 32 }, async (_, index) => {
      const key = `large-${round}-${index}`;
      const value = "x".repeat(20_000);
      try {
        await store.set(key, value);
        kept.set(key, value);
      } catch (error) {
        assert.equal(codeOf(error), "SQLITE_DISK_FULL");
        refused.push(key);
      }
    });
    await Promise.all(writes);
  }
  return refused;
}

/** What a failed write had taken of the log is room for small ones; they use it up. */
async function writeSmallUntilFull(store: Store<string>, kept: Map<string, string>): Promise<void> {
  for (let index = 0; ; index += 1) {
    const key = `small-${index}`;
    try {
      await store.set(key, "x");
      kept.set(key, "x");
    } catch (error) {
      assert.equal(codeOf(error), "SQLITE_DISK_FULL");
      return;
    }
  }
}

async function assertAll(store: Store<string>, kept: ReadonlyMap<string, string>): Promise<void> {
  for (const [key, value] of kept) assert.equal(await store.get(key), value, key);
}

/** Prints how many writes were acknowledged. */
async function hitLimit(path: string): Promise<void> {
  const engine = await openSqlite({ file: join(path, "state.db") });
  const store = await openBlobs(engine);
  const codes: string[] = [];
  let acknowledged = 0;
  while (codes.length === 0) {
    try {
      await store.set(`key-${acknowledged}`, "x".repeat(8000));
      acknowledged += 1;
    } catch (error) {
      codes.push(codeOf(error));
    }
  }
  assert.deepEqual(codes, ["STATE_OUTCOME_UNKNOWN"]);
  const stopped = (error: unknown) => codeOf(error) === "SQLITE_WRITER_STOPPED";
  await assert.rejects(store.set("late", "x"), stopped);
  await assert.rejects(
    Promise.try(() => engine.check()),
    stopped,
  );
  assert.equal((await store.get("key-0"))?.length, 8000);
  await engine.close();
  process.stdout.write(`${acknowledged}\n`);
}
