import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { percent, renderCoverage, summarizeCoverage } from "./coverage.ts";

test("a source that no test loads counts as uncovered, one of types alone not at all", async () => {
  const root = await mkdtemp(join(tmpdir(), "coverage-"));
  try {
    await mkdir(join(root, "packages/a/src"), { recursive: true });
    const write = (name: string, text: string): Promise<void> =>
      writeFile(join(root, "packages/a/src", name), text);
    await write("run.ts", "export const a = 1;\n".repeat(9));
    await write("idle.ts", "export const b = 1;\n".repeat(9));
    await write(
      "shape.ts",
      '/** Types. */\nimport type { A } from "./run.ts";\nexport type B = A;\n',
    );
    const path = join(root, "packages/a/src/run.ts");
    const result = summarizeCoverage({
      root,
      files: [{ path, totalLineCount: 10, coveredLineCount: 10 }],
      sources: ["run", "idle", "shape"].map((name) => `packages/a/src/${name}.ts`),
    });
    assert.equal(percent(result.total), 50);
    assert.deepEqual(
      result.low.map(({ name }) => name),
      ["packages/a/src/idle.ts"],
    );
    assert.match(renderCoverage(result), /50\.0 % {2}packages\/a\n/);
  } finally {
    await rm(root, { recursive: true });
  }
});
