import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { bareEnvironment } from "./bare-environment.ts";
import { spawnNode } from "./child.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

test("a child does not see the settings of the run around it, and all the rest", async (t) => {
  t.after(() => delete process.env["BANYAN_OF_THIS_TEST"]);
  process.env["BANYAN_OF_THIS_TEST"] = "1";
  await using folder = await temporaryDirectory("bare");
  const script = folder.join("tell.js");
  writeFileSync(script, "console.log(Object.keys(process.env).join())");
  await using child = spawnNode(script, [], { env: bareEnvironment() });
  await child.exited;
  assert.doesNotMatch(child.stdout, /BANYAN_|npm_command/);
  assert.match(child.stdout, /\bPATH\b/);
});
