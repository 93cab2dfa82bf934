/** How a process ends that has a file open. Run with arguments, this file is that process. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnNode, temporaryDirectory } from "@banyan/testbed";
import { openSqliteFile } from "./sqlite-file.ts";

const [, , path, when] = process.argv;

if (path === undefined) describeEnd();
else await endProcess(path, when ?? "");

/** Nothing is closed, and the process is not told to end. */
async function endProcess(path: string, when: string): Promise<void> {
  const file = await openSqliteFile({ path });
  await file.write(["stateOpen", "a", "b"]);
  await file.allAside("SELECT 1");
  if (when === "unawaited") {
    const last = file.write(["stateSet", 1, false, 0, "last", "1", "etag", 1, null, ""]);
    void last.then(() => process.stdout.write("acknowledged\n"));
  }
  process.stdout.write("end\n");
}

function describeEnd(): void {
  test("an open file does not keep the process, a write that waits does", async () => {
    await using directory = await temporaryDirectory("end");
    const path = directory.join("state.db");
    for (const [when, said] of [
      ["idle", "end"],
      ["unawaited", "acknowledged"],
    ] as const) {
      await using child = spawnNode(import.meta.filename, [path, when]);
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      assert.equal(child.lines.at(-1)?.text, said);
    }
    const file = await openSqliteFile({ path });
    assert.deepEqual(file.get("SELECT key FROM entries"), ["last"]);
    await file.close();
  });
}
