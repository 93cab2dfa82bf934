import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import { temporaryDirectory } from "@banyan/testbed";
import { createBackup } from "./backup.ts";
import type { BackupOptions, BackupSource } from "./backup.ts";

const content = "what the engine keeps";
const medium = {};

function fileSource(name: string, path: string, on: object = medium): BackupSource {
  return {
    name,
    medium: on,
    async backup(folder) {
      await writeFile(join(folder, path), content);
      return [{ path }];
    },
  };
}

const optionsOf = (to: string, ...sources: BackupSource[]): BackupOptions => ({
  to,
  sources,
  node: "n1",
  version: "1.2.3",
  clock: systemClock,
});

describe("A backup", () => {
  test("holds the files of each medium once, and a manifest that describes them", async () => {
    await using directory = await temporaryDirectory("backup");
    const to = directory.join("deep/er/copy");
    const state = fileSource("state", "state.db");
    const bus = fileSource("bus", "never.db");
    const other = fileSource("other", "other.db", {});
    const manifest = await createBackup(optionsOf(to, { name: "memory" }, state, bus, other));
    assert.deepEqual(readdirSync(to).sort(), ["manifest.json", "other.db", "state.db"]);
    assert.deepEqual(JSON.parse(readFileSync(join(to, "manifest.json"), "utf8")), manifest);
    const { format, product, version, node, files } = manifest;
    assert.deepEqual([format, product, version, node], [1, "banyan", "1.2.3", "n1"]);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const bytes = Buffer.byteLength(content);
    assert.deepEqual(files, [
      { path: "state.db", bytes, sha256 },
      { path: "other.db", bytes, sha256 },
    ]);
  });

  test("tells what is kept elsewhere, so that nobody takes it for a whole one", async () => {
    await using directory = await temporaryDirectory("backup");
    const durable = "durable" as const;
    const manifest = await createBackup(
      optionsOf(
        directory.join("copy"),
        fileSource("state", "state.db"),
        { name: "bus", medium, durability: durable },
        { name: "memory", durability: "ephemeral" },
        { name: "postgres", durability: durable },
        { name: "postgres", durability: durable, medium: {} },
      ),
    );
    assert.deepEqual(manifest.notIncluded, ["postgres"]);
  });

  test("is written into an empty folder that is there, and into no other", async () => {
    await using directory = await temporaryDirectory("backup");
    const source = fileSource("state", "state.db");
    mkdirSync(directory.join("empty"));
    await createBackup(optionsOf(directory.join("empty"), source));
    await assert.rejects(createBackup(optionsOf(directory.join("empty"), source)), {
      code: "NODE_BACKUP_REFUSED",
      message: /not empty/,
    });
    writeFileSync(directory.join("file"), "mine");
    await assert.rejects(createBackup(optionsOf(directory.join("file"), source)), {
      code: "NODE_BACKUP_REFUSED",
      message: /cannot be used/,
    });
    assert.equal(readFileSync(directory.join("file"), "utf8"), "mine");
    await assert.rejects(createBackup(optionsOf("relative", source)), {
      code: "NODE_BACKUP_REFUSED",
      message: /no absolute path/,
    });
  });

  test("of engines without files is refused and makes no folder", async () => {
    await using directory = await temporaryDirectory("backup");
    const to = directory.join("copy");
    await assert.rejects(createBackup(optionsOf(to, { name: "memory" })), {
      code: "NODE_BACKUP_REFUSED",
      message: /nothing to copy/,
    });
    assert.deepEqual(readdirSync(directory.path), []);
  });

  test("is the owner's alone, and never in the data directory itself", async () => {
    await using directory = await temporaryDirectory("backup");
    const source = fileSource("state", "state.db");
    await createBackup(optionsOf(directory.join("copy"), source));
    for (const name of ["state.db", "manifest.json"]) {
      assert.equal(statSync(directory.join("copy", name)).mode & 0o777, 0o600);
    }
    mkdirSync(directory.join("data"));
    symlinkSync(directory.join("data"), directory.join("link"));
    for (const to of ["data", "link"].map((name) => directory.join(name))) {
      const options = { ...optionsOf(to, source), directory: directory.join("data") };
      await assert.rejects(createBackup(options), {
        code: "NODE_BACKUP_REFUSED",
        message: /is the data directory itself/,
      });
    }
  });

  test("that fails leaves nothing of its own behind", async () => {
    await using directory = await temporaryDirectory("backup");
    const broken: BackupSource = {
      name: "broken",
      medium: {},
      async backup(folder) {
        await writeFile(join(folder, "half.db"), "half");
        throw new Error("the disk is full");
      },
    };
    const source = fileSource("state", "state.db");
    for (const [to, isThere] of [
      [directory.join("new"), false],
      [directory.join("deep/er/new"), false],
      [directory.join("empty"), true],
    ] as const) {
      if (isThere) mkdirSync(to);
      await assert.rejects(createBackup(optionsOf(to, source, broken)), {
        code: "NODE_BACKUP_FAILED",
        message: /the disk is full\. What there was of it is removed/,
      });
    }
    assert.deepEqual(readdirSync(directory.path), ["empty"]);
    assert.deepEqual(readdirSync(directory.join("empty")), []);
  });

  test("that would write one file over another fails", async () => {
    await using directory = await temporaryDirectory("backup");
    const to = directory.join("copy");
    const twice = [fileSource("a", "state.db"), fileSource("b", "state.db", {})];
    await assert.rejects(createBackup(optionsOf(to, ...twice)), { code: "NODE_BACKUP_FAILED" });
    assert.deepEqual(readdirSync(directory.path), []);
  });

  test("that is cancelled says why and leaves nothing", async () => {
    await using directory = await temporaryDirectory("backup");
    const stop = new AbortController();
    const slow: BackupSource = {
      name: "slow",
      async backup(folder) {
        await writeFile(join(folder, "state.db"), content);
        stop.abort(new Error("nobody waits any more"));
        return [{ path: "state.db" }];
      },
    };
    const options = { ...optionsOf(directory.join("copy"), slow), signal: stop.signal };
    await assert.rejects(createBackup(options), /nobody waits any more/);
    assert.deepEqual(readdirSync(directory.path), []);
  });
});
