import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { nodeSections } from "@banyan/host";
import { resolveConfig } from "@banyan/kernel/internal";
import { temporaryDirectory } from "@banyan/testbed";
import { parseArguments } from "./parse-arguments.ts";
import { openSettings, settingDefaults } from "./settings.ts";
import type { Settings } from "./settings.ts";

function settings(
  cwd: string,
  words: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Settings> {
  return openSettings({ cwd, env, flags: parseArguments(["up", ...words]).flags });
}

test("the defaults read here are those that the node declares", () => {
  const { values } = resolveConfig({ sections: nodeSections, sources: {} });
  // The sections are the node's own; with no problems the values have their shape.
  const { node, discover } = values as { node: { dataDir: string }; discover: string[] };
  assert.equal(settingDefaults.dataDir, node.dataDir);
  assert.deepEqual(settingDefaults.discover, discover);
});

test("the data directory: flag, then variable, then file, then beside the file", async () => {
  await using directory = await temporaryDirectory("settings");
  const inner = directory.join("a");
  mkdirSync(inner);
  const at = async (words: string[] = [], env: Record<string, string> = {}): Promise<string> =>
    (await settings(inner, words, env)).dataDirectory;
  assert.equal(await at(), directory.join("a", ".banyan"));
  writeFileSync(directory.join("banyan.yaml"), "http: {}\n");
  assert.equal(await at(), directory.join(".banyan"));
  writeFileSync(directory.join("banyan.yaml"), "node: { dataDir: data }\n");
  assert.equal(await at(), directory.join("data"));
  assert.equal(await at([], { BANYAN_DATA_DIR: "env" }), directory.join("env"));
  assert.equal(
    await at(["--data-dir", "flag"], { BANYAN_DATA_DIR: "env" }),
    directory.join("a", "flag"),
  );
});

test("the configuration file: --config, then BANYAN_CONFIG, then the nearest", async () => {
  await using directory = await temporaryDirectory("settings");
  for (const name of ["banyan", "env", "flag"]) writeFileSync(directory.join(`${name}.yaml`), "");
  const file = async (words: string[], env: Record<string, string>): Promise<unknown> =>
    (await settings(directory.path, words, env)).configFile?.path;
  const env = { BANYAN_CONFIG: "env.yaml" };
  assert.equal(await file(["--config", "flag.yaml"], env), directory.join("flag.yaml"));
  assert.equal(await file([], env), directory.join("env.yaml"));
  assert.equal(await file([], {}), directory.join("banyan.yaml"));
});

test("an empty --data-dir is not the working folder", async () => {
  await using directory = await temporaryDirectory("settings");
  await assert.rejects(settings(directory.path, ["--data-dir="]), /--data-dir is empty/);
});

test("--set becomes a flag with its pointer, and must be an assignment", async () => {
  await using directory = await temporaryDirectory("settings");
  const { flags } = await settings(directory.path, ["--set", "http.port=1", "--port", "2"]);
  assert.deepEqual(flags, [
    { flag: "--set http.port", pointer: "/http/port", value: "1" },
    { flag: "--port", pointer: "/http/port", value: "2" },
  ]);
  await assert.rejects(settings(directory.path, ["--set", "port"]), /is no assignment/);
  await assert.rejects(settings(directory.path, ["--set", "=1"]), /is no assignment/);
});
