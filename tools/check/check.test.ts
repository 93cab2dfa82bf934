import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check } from "./check.ts";
import type { Step } from "./steps.ts";

async function run(steps: readonly Step[]): Promise<{ failed: string[]; said: string }> {
  let said = "";
  const failed = await check({ root: process.cwd(), steps, print: (text) => (said += text) });
  return { failed, said };
}

const step = (name: string, code: string): Step => ({
  name,
  command: ["node", "-e", code],
  fix: `mend ${name}`,
});

describe("check", () => {
  test("a step that passes is one line", async () => {
    const { failed, said } = await run([step("quiet", 'console.log("not shown")')]);
    assert.deepEqual(failed, []);
    assert.match(said, /^✔ quiet +\d+\.\d s\n$/);
  });

  test("a step that fails shows what it said and what to do", async () => {
    const { failed, said } = await run([
      step("good", ""),
      step("bad", 'console.log("line 7 is wrong"); process.exitCode = 3'),
    ]);
    assert.deepEqual(failed, ["bad"]);
    assert.match(said, /✖ bad .*\n {4}line 7 is wrong\n {4}→ mend bad\n/);
  });

  test("a program that is not there fails by name", async () => {
    const { failed, said } = await run([
      { name: "gone", command: ["no-such-program-here"], fix: "install it" },
    ]);
    assert.deepEqual(failed, ["gone"]);
    assert.match(said, /no-such-program-here cannot be started/);
  });
});
