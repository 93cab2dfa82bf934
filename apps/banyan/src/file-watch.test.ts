import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { temporaryDirectory, withTimeout } from "@banyan/testbed";
import { watchFiles } from "./file-watch.ts";

test("an edit deep in a folder is a change, noise is not", async () => {
  await using directory = await temporaryDirectory("watch");
  for (const folder of ["src/deep", "node_modules/x", ".banyan"]) {
    mkdirSync(directory.join(folder), { recursive: true });
  }
  using files = watchFiles([directory.path]);
  writeFileSync(directory.join("node_modules/x/a.js"), "");
  writeFileSync(directory.join(".banyan/state.db"), "");
  writeFileSync(directory.join("src/deep/a.ts~"), "");
  writeFileSync(directory.join("src/deep/b.ts"), "");
  const changed = await withTimeout(files.changed, { what: "The change" });
  assert.ok(changed.startsWith(directory.join("src")), changed);
});

test("a file that an editor replaced is a change, its neighbours are not", async () => {
  await using directory = await temporaryDirectory("watch");
  writeFileSync(directory.join("banyan.yaml"), "");
  using files = watchFiles([directory.join("banyan.yaml"), directory.join("none")]);
  writeFileSync(directory.join("other.yaml"), "");
  writeFileSync(directory.join("draft"), "http: {}");
  renameSync(directory.join("draft"), directory.join("banyan.yaml"));
  const changed = await withTimeout(files.changed, { what: "The change" });
  assert.equal(changed, directory.join("banyan.yaml"));
});
