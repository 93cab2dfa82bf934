import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { temporaryDirectory } from "@banyan/testbed";

const leavesServer = `
import { createServer } from "node:net";
import { test } from "node:test";
test("leaves a server behind", () => void createServer().listen(0, "127.0.0.1"));
`;
const ends = `
import { test } from "node:test";
for (const n of [1, 2, 3]) {
  test("takes a while " + n, () => new Promise((done) => setTimeout(done, 700)));
}
`;

test("a file whose process does not end fails, and the others keep their results", async () => {
  await using directory = await temporaryDirectory();
  const files = { "leaves.test.mjs": leavesServer, "ends.test.mjs": ends };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory.path, name), text);
  }
  const paths = Object.keys(files).map((name) => join(directory.path, name));
  const { code, stdout } = await sampleRun([directory.path, "2000", ...paths]);
  assert.equal(code, 1);
  assert.match(stdout, /✖ .*leaves\.test\.mjs\n/u);
  assert.match(stdout, /this file did not end, and nothing was heard of the run for 2 s/u);
  assert.match(stdout, /✔ +3\/3 .*ends\.test\.mjs\n/u);
});

async function sampleRun(args: readonly string[]): Promise<{ code: number; stdout: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = join(import.meta.dirname, "sample-run.ts");
  const child = spawn(process.execPath, [script, ...args], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [[code], stdout] = await Promise.all([once(child, "close"), text(child.stdout)]);
  return { code: Number(code), stdout };
}
