/**
 * Completion as a shell does it: the real script in the real shell. A stand-in for the command
 * tells what it was asked; which shells are tried depends on what is installed, bash always is.
 */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { describe, test } from "node:test";
import { spawnProgram, temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import { fishCompletion } from "./completion-fish.ts";
import { completionModel } from "./completion-model.ts";
import type { Shell } from "./completion-model.ts";
import { bashCompletion, zshCompletion } from "./completion-posix.ts";
import { shownVerbs } from "./verb-table.ts";

/** Two values whatever is asked, one of them hostile, and a note of the question. */
const standIn = `#!/bin/sh
echo "$*" >> asked
echo alpha
echo '$(touch hacked)'
`;

/** What the last word of a command line may become, as the shell's own machinery sees it. */
const askScript: Readonly<Record<Shell, string>> = {
  bash: `source script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _banyan
printf '%s\\n' "\${COMPREPLY[@]}"`,
  // The function alone: the machinery around it needs a terminal.
  zsh: `compdef() { :; }
_files() { print -l "files $*"; }
compset() { :; }
compadd() { while [[ "$1" != -- ]]; do shift; done; shift; print -l -- "$@"; }
source ./script
words=("$@"); CURRENT=$#; _banyan`,
  fish: `source script
set -l line (string join " " -- $argv)
complete -C "$line" | string split -f1 \\t
exit 0`,
};

const runs: Readonly<Record<Shell, (script: string, words: readonly string[]) => string[]>> = {
  bash: (script, words) => ["-c", script, "bash", ...words],
  zsh: (script, words) => ["-f", "-c", script, "zsh", ...words],
  fish: (script, words) => ["--no-config", "-c", script, ...words],
};

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

interface Answer {
  readonly found: readonly string[];
  /** The questions to the command, without the marks of the shell. */
  readonly asked: string;
}

async function makePlace(shell: Shell): Promise<TemporaryDirectory> {
  const place = await temporaryDirectory("completion");
  writeFileSync(place.join("script"), scripts[shell](completionModel()));
  writeFileSync(place.join("banyan"), standIn);
  chmodSync(place.join("banyan"), 0o755);
  mkdirSync(place.join("folder"));
  writeFileSync(place.join("file.txt"), "");
  return place;
}

async function complete(shell: Shell, ...words: string[]): Promise<Answer> {
  await using place = await makePlace(shell);
  const path = `${place.path}${delimiter}${process.env["PATH"] ?? ""}`;
  const env = { PATH: path, HOME: place.path, TERM: "dumb" };
  const args = runs[shell](askScript[shell], ["banyan", ...words]);
  await using child = spawnProgram(shell, args, { cwd: place.path, env });
  const { code } = await child.exited;
  assert.equal(child.stderr, "", words.join(" "));
  assert.equal(code, 0, words.join(" "));
  assert.ok(!existsSync(place.join("hacked")), "what a node answers was run");
  const asked = existsSync(place.join("asked")) ? readFileSync(place.join("asked"), "utf8") : "";
  const found = child.stdout.split("\n").filter((line) => line !== "");
  return { found, asked: asked.trim() };
}

async function isInstalled(shell: Shell): Promise<boolean> {
  try {
    await using child = spawnProgram(shell, ["-c", "exit 0"], {});
    return (await child.exited).code === 0;
  } catch {
    return false; // Not there, or not to be run: the test says that it was skipped.
  }
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  const skip = (await isInstalled(shell)) ? false : `${shell} is not installed`;
  describe(`completion in ${shell}`, { skip, concurrency: 2 }, () => {
    const starting = ({ found }: Answer, start: string): string[] =>
      found.filter((word) => word.startsWith(start)).toSorted();

    test("proposes verbs, and the words that may follow them", async () => {
      const first = await complete(shell, "");
      assert.ok(first.found.includes("up") && first.found.includes("events"), first.found.join());
      assert.ok(!first.found.includes("complete-values"));
      assert.deepEqual(starting(await complete(shell, "ev"), "ev"), ["events"]);
      const second = await complete(shell, "events", "");
      assert.deepEqual(second.found.toSorted(), [
        "buffer",
        "dead-letters",
        "publish",
        "tail",
        "topics",
      ]);
      const third = await complete(shell, "events", "dead-letters", "");
      assert.deepEqual(third.found.toSorted(), ["discard", "list", "redrive", "show"]);
      assert.equal(third.asked, "", "words need no process");
    });

    test("knows the verbs of traces and of the log, with what may follow them", async () => {
      const trace = await complete(shell, "trace", "");
      assert.deepEqual(trace.found.toSorted(), ["list", "show"]);
      assert.equal((await complete(shell, "trace", "show", "")).asked, "complete-values trace");
      const name = await complete(shell, "trace", "list", "--name", "al");
      assert.equal(name.asked, "complete-values trace-name");
      const first = await complete(shell, "log", "level", "");
      assert.equal(first.asked, "complete-values service-or-level");
      const second = await complete(shell, "log", "level", "stock", "");
      assert.deepEqual(second.found, ["debug", "info", "warn", "error", "silent"]);
      assert.equal(second.asked, "", "levels need no process");
      const flags = await complete(shell, "log", "level", "stock", "--r");
      assert.deepEqual(starting(flags, "--r"), ["--reset"]);
    });

    test("proposes the flags of the verb, wherever they stand", async () => {
      const up = await complete(shell, "up", "--w");
      assert.deepEqual(starting(up, "--w"), ["--watch"]);
      const list = await complete(shell, "--json", "state", "list", "shop.items", "--p");
      assert.deepEqual(starting(list, "--p"), ["--prefix"]);
    });

    test("asks the node for names, and how to reach it, and runs no answer", async () => {
      const store = await complete(shell, "state", "get", "");
      assert.ok(store.found.includes("alpha"), store.found.join());
      assert.equal(store.asked, "complete-values store");
      const words = ["--data-dir", "x", "call", "--timeout", "5s", "shop", "al"];
      const operation = await complete(shell, ...words);
      assert.deepEqual(starting(operation, "al"), ["alpha"]);
      assert.equal(operation.asked, "complete-values operation shop --data-dir=x");
      const flag = await complete(shell, "events", "dead-letters", "list", "--subscription", "");
      assert.ok(flag.found.includes("alpha"));
      assert.equal(flag.asked, "complete-values subscription");
    });

    test("proposes fields of a request, but no value of one", async () => {
      const fields = await complete(shell, "call", "shop", "sell", "al");
      assert.deepEqual(starting(fields, "al"), ["alpha"]);
      assert.equal(fields.asked, "complete-values operation-field shop sell");
      // As bash takes it apart, and as the others leave it.
      const value = shell === "bash" ? ["alpha", "=", "a"] : ["alpha=a"];
      const after = await complete(shell, "call", "shop", "sell", ...value);
      assert.deepEqual(starting(after, value.at(-1) ?? ""), []);
    });

    test("proposes nothing where anything may stand", async () => {
      const { found, asked } = await complete(shell, "up", "--port", "");
      assert.deepEqual([found, asked], [[], ""]);
      assert.deepEqual((await complete(shell, "state", "get", "shop.items", "")).found, []);
    });

    test("proposes files and folders where they are meant", async () => {
      const { found } = await complete(shell, "backup", "verify", "fo");
      assert.match(found.join(), shell === "zsh" ? /files -\// : /^folder\/?$/);
      const { found: files } = await complete(shell, "services", "--config", "fi");
      assert.match(files.join(), shell === "zsh" ? /files/ : /file\.txt/);
      const { found: kinds } = await complete(shell, "completion", "z");
      assert.deepEqual(starting({ found: kinds, asked: "" }, "z"), ["zsh"]);
    });
  });
}

test("every verb, flag and place of the table is in the model", () => {
  const { words, verbs, flagValues } = completionModel();
  for (const { name, flags, args } of shownVerbs) {
    const parts = name.split(" ");
    for (const [index, part] of parts.entries()) {
      assert.ok(words.get(parts.slice(0, index).join(" "))?.includes(part), name);
    }
    const verb = verbs.find((each) => each.name === name);
    assert.equal((verb?.args.length ?? 0) + (verb?.rest === undefined ? 0 : 1), args.length, name);
    for (const flag of flags) {
      assert.ok(verb?.flags.includes(`--${flag.name}`), name);
      assert.equal(flagValues.has(`--${flag.name}`), flag.value !== undefined, flag.name);
    }
  }
});
