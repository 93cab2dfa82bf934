import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "./temporary-directory.ts";

test("a temporary directory is gone after its scope, with all it holds", async () => {
  let path = "";
  {
    await using folder = await temporaryDirectory("scope");
    path = folder.path;
    assert.match(basename(path), /^banyan-scope-/);
    await mkdir(folder.join("a", "b"), { recursive: true });
    await writeFile(folder.join("a", "b", "file"), "text");
  }
  assert.equal(existsSync(path), false);
});

test("two temporary directories are different", async () => {
  await using one = await temporaryDirectory();
  await using two = await temporaryDirectory();
  assert.notEqual(one.path, two.path);
});
