import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { spawnNode, temporaryDirectory } from "@banyan/testbed";
import { formatFigure } from "./figure.ts";
import { parseResult } from "./result.ts";
import { openSubject } from "./subject-process.ts";

const main = join(import.meta.dirname, "main.ts");
const flags = { execArgv: ["--conditions=source", "--disable-warning=ExperimentalWarning"] };

test("a quick run of trunk measures every case and writes the shared form", async () => {
  await using folder = await temporaryDirectory("bench");
  const out = folder.join("result.json");
  await using run = spawnNode(main, ["trunk", "--quick", "--from-source", "--out", out], flags);
  assert.deepEqual(await run.exited, { code: 0, signal: null }, run.stderr);
  const result = parseResult(JSON.parse(await readFile(out, "utf8")));
  const promised = result.cases.filter(({ target }) => target !== null).map(({ name }) => name);
  assert.deepEqual(promised, [
    "in-process call, unvalidated, 1 in flight",
    "in-process call, validated, 1 in flight",
    "in-process call, unvalidated, 64 in flight",
    "in-process call, validated, 64 in flight",
    "HTTP echo, 64 connections",
    "cold start to ready",
    "idle memory, 2 s after ready",
    "banyan --version",
  ]);
  for (const { name } of result.cases) assert.ok(run.stdout.includes(name), name);
});

test("an unknown area is refused with the known ones", async () => {
  await using run = spawnNode(main, ["trunks"], flags);
  assert.equal((await run.exited).code, 2);
  assert.match(run.stderr, /areas: trunk/);
});

test("a subject that cannot answer is named, and so is one that is gone", async () => {
  const file = new URL("trunk/call-direct.bench.ts", import.meta.url);
  await using subject = await openSubject(file, { fromSource: true });
  await assert.rejects(subject.ask("nonsense", {}), /call-direct.*no measure "nonsense"/s);
  await assert.rejects(subject.ask("calls", {}), /lacks the number/);
  await subject[Symbol.asyncDispose]();
  await assert.rejects(subject.ask("calls", {}), /gone/);
});

test("figures are told in three digits", () => {
  const told = [1_234_567, 999_600, 45_678, 1523.4, 12.34, 0.0123].map(formatFigure);
  assert.deepEqual(told, ["1.23 M", "1 M", "45.7 k", "1523", "12.3", "0.0123"]);
});
