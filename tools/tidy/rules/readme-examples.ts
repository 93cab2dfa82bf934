/** Every fenced block ```ts run of a README is executed; its `//=> …` comments are asserted. */

import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isolate } from "../readme-example.ts";
import type { Finding, Repo, Rule } from "../repo.ts";

const EXAMPLE_TIMEOUT_MS = 20_000; // a cold start of a node on a busy machine, several times over

export const readmeExamples: Rule = {
  name: "readme-examples",
  about: "```ts run blocks in READMEs run from source and print what they say.",
  async check(repo) {
    const examples = repo.paths
      .filter((path) => /(?:^|\/)README\.md$/.test(path))
      .flatMap((path) => fencedExamples(repo, path));
    const { root } = repo;
    if (root === undefined) return [];
    const results = await Promise.all(
      examples.map(async (example, index) => ({
        ...example,
        problem: await runExample(root, { ...example, index }),
      })),
    );
    return results.flatMap(({ path, line, problem }): Finding[] =>
      problem === undefined ? [] : [{ path, line, message: problem }],
    );
  },
};

interface Example {
  readonly path: string;
  readonly line: number;
  readonly code: string;
}

function fencedExamples(repo: Repo, path: string): Example[] {
  const text = repo.text(path);
  return [...text.matchAll(/^```ts run[^\n]*\n([\s\S]*?)^```/gm)].map((match) => ({
    path,
    line: text.slice(0, match.index).split("\n").length,
    code: match[1] ?? "",
  }));
}

/** Runs the block inside its package, so that it imports what a reader would; answers a problem. */
async function runExample(
  root: string,
  example: Example & { readonly index: number },
): Promise<string | undefined> {
  const folder = join(root, dirname(example.path));
  const file = join(folder, `.readme-example-${example.index}.ts`);
  try {
    // Blank lines in front: a stack names the line of the README.
    const source = isolate(example.code);
    await writeFile(file, `${"\n".repeat(example.line)}${source}`);
    return await execute(file, folder);
  } finally {
    await rm(file, { force: true });
  }
}

function execute(file: string, cwd: string): Promise<string | undefined> {
  const args = ["--conditions=source", "--disable-warning=ExperimentalWarning", file];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd, timeout: EXAMPLE_TIMEOUT_MS },
      (error, _out, stderr) => {
        if (error === null) resolve(undefined);
        else if (error.killed === true)
          resolve(`the example did not end in ${EXAMPLE_TIMEOUT_MS} ms`);
        else resolve(`the example failed:\n${stderr.trim().replace(/^/gm, "      ")}`);
      },
    );
  });
}
