import assert from "node:assert/strict";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { copyTemplate } from "./data-template.ts";
import type { DataTemplate } from "./data-template.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

interface Counted {
  readonly template: DataTemplate;
  readonly builds: () => number;
}

/** A kind of its own for each test, so that no run finds what another one left. */
function countBuilds(recipe: string, words: string): Counted {
  let builds = 0;
  const template: DataTemplate = {
    name: "test",
    program: process.execPath,
    recipe: [recipe],
    user: undefined,
    async build(folder) {
      builds += 1;
      await mkdir(join(folder, "base"));
      await writeFile(join(folder, "base", "file"), words);
    },
  };
  return { template, builds: () => builds };
}

test("it is built once for any number of copies, which are each one's own", async () => {
  await using place = await temporaryDirectory("template");
  // What is cached goes with this folder instead of staying on the machine.
  using _ = withTmpdir(place.path);
  const { template, builds } = countBuilds("once", "first");
  const copies = ["a", "b", "c"].map((name) => place.join(name));
  await Promise.all(copies.map((copy) => mkdir(copy)));
  await Promise.all(copies.map((copy) => copyTemplate(template, copy)));
  assert.equal(builds(), 1);
  await writeFile(join(copies[0] ?? "", "base", "file"), "changed");
  assert.equal(await readFile(join(copies[1] ?? "", "base", "file"), "utf8"), "first");
  assert.equal((await stat(copies[2] ?? "")).mode & 0o777, 0o700);
});

test("another recipe is another template, and one that fails leaves nothing", async () => {
  await using place = await temporaryDirectory("template");
  using _ = withTmpdir(place.path);
  for (const words of ["first", "second"]) {
    const { template } = countBuilds(words, words);
    await mkdir(place.join("copy"));
    await copyTemplate(template, place.join("copy"));
    assert.equal(await readFile(place.join("copy", "base", "file"), "utf8"), words);
    await rm(place.join("copy"), { recursive: true });
  }
  const { template, builds } = countBuilds("broken", "third");
  const broken: DataTemplate = {
    ...template,
    build: () => Promise.reject(new Error("no disk")),
  };
  await mkdir(place.join("copy"));
  await assert.rejects(copyTemplate(broken, place.join("copy")), /no disk/);
  await copyTemplate(template, place.join("copy"));
  assert.equal(builds(), 1);
});

function withTmpdir(path: string): Disposable {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = path;
  return {
    [Symbol.dispose]() {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    },
  };
}
