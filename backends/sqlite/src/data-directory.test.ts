/**
 * Owners of one data directory, in real processes. Run with an argument, this file is the other
 * process: it takes the directory, says so, and stays.
 */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { spawnNode, temporaryDirectory } from "@banyan/testbed";
import { openDataDirectory } from "./data-directory.ts";

const [, , owned] = process.argv;

if (owned === undefined) {
  describeOwners();
  describeDeletedFolder();
} else await own(owned);

async function own(path: string): Promise<void> {
  try {
    const directory = await openDataDirectory(path);
    setInterval(() => undefined, 60_000);
    process.on("SIGTERM", () => void directory.close().then(() => process.exit(0)));
    // Last: whoever reads this line may send the signal at once.
    process.stdout.write(`owner ${process.pid}\n`);
  } catch (error) {
    const pid = isBanyanError(error) ? error.details?.["pid"] : undefined;
    process.stdout.write(
      isBanyanError(error) ? `${error.code} ${String(pid)}\n` : `${String(error)}\n`,
    );
  }
}

function isLockedBy(pid: number) {
  return (error: unknown): true => {
    assert(isBanyanError(error, "DATA_DIRECTORY_LOCKED"), String(error));
    assert.equal(error.details?.["pid"], pid);
    assert(error.message.includes(String(pid)), error.message);
    return true;
  };
}

function describeOwners(): void {
  test("a second process is refused with the pid of the owner", async () => {
    await using folder = await temporaryDirectory("owners");
    const path = folder.join("data");
    await using directory = await openDataDirectory(path);
    await using second = spawnNode(import.meta.filename, [path]);
    await second.waitForLine(new RegExp(`^DATA_DIRECTORY_LOCKED ${process.pid}$`));
    await directory.close();
    await using third = spawnNode(import.meta.filename, [path]);
    await third.waitForLine(/^owner \d+$/);
    await assert.rejects(openDataDirectory(path), isLockedBy(third.pid));
  });

  test("the lock dies with its process, also by kill -9", async () => {
    await using folder = await temporaryDirectory("owners");
    await using child = spawnNode(import.meta.filename, [folder.path]);
    await child.waitForLine(/^owner/);
    await assert.rejects(openDataDirectory(folder.path), isLockedBy(child.pid));
    await child.kill();
    await using directory = await openDataDirectory(folder.path);
    assert.equal(directory.path, folder.path);
  });

  test("an owner that stops cleanly leaves no pid behind", async () => {
    await using folder = await temporaryDirectory("owners");
    await using child = spawnNode(import.meta.filename, [folder.path]);
    await child.waitForLine(/^owner/);
    assert.equal(existsSync(folder.join("lock.pid")), true);
    child.signal("SIGTERM");
    await child.exited;
    assert.equal(existsSync(folder.join("lock.pid")), false);
  });

  test("the same process cannot take it twice either", async () => {
    await using folder = await temporaryDirectory("owners");
    const directory = await openDataDirectory(folder.path);
    await assert.rejects(openDataDirectory(folder.path), isLockedBy(process.pid));
    await directory.close();
    await directory.close();
    await (await openDataDirectory(folder.path)).close();
  });

  test(
    "a new directory is for its user alone",
    { skip: process.platform === "win32" },
    async () => {
      await using folder = await temporaryDirectory("owners");
      await using directory = await openDataDirectory(folder.join("deep", "data"));
      assert.equal(statSync(directory.path).mode & 0o777, 0o700);
      assert.equal(directory.join("state.db"), folder.join("deep", "data", "state.db"));
    },
  );

  test("a place that cannot be a directory is named", async () => {
    await using folder = await temporaryDirectory("owners");
    writeFileSync(folder.join("file"), "");
    mkdirSync(folder.join("taken", "lock.db"), { recursive: true });
    const places = [folder.join("file"), folder.join("file", "x"), folder.join("taken")];
    // A file system that takes no files: making folders there must fail, not try for ever.
    if (process.platform === "linux") places.push("/proc/banyan/data");
    for (const path of places) {
      await assert.rejects(openDataDirectory(path), (error) => {
        assert(isBanyanError(error, "DATA_DIRECTORY_UNUSABLE"), String(error));
        assert(error.message.includes(path));
        return true;
      });
    }
  });
}

function describeDeletedFolder(): void {
  test("an owner whose folder was deleted leaves the next owner's pid alone", async () => {
    await using folder = await temporaryDirectory("owners");
    const path = folder.join("data");
    const directory = await openDataDirectory(path);
    rmSync(path, { recursive: true });
    await using next = spawnNode(import.meta.filename, [path]);
    await next.waitForLine(/^owner/);
    await directory.close();
    await assert.rejects(openDataDirectory(path), isLockedBy(next.pid));
  });
}
