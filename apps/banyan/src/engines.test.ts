import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { temporaryDirectory } from "@banyan/testbed";
import { createEngineFinder } from "./engines.ts";

test("short names are built in, any other name is a module beside the configuration", async () => {
  await using directory = await temporaryDirectory("engines");
  const find = createEngineFinder(directory.path);
  const sqlite = await find("sqlite");
  assert.equal(sqlite?.state?.kinds.state, "durable");
  assert.deepEqual([sqlite.bus?.name, sqlite.bus?.durability], ["sqlite", "durable"]);
  for (const name of ["postgres", "mysql"]) {
    const found = await find(name);
    assert.deepEqual([found?.state?.name, found?.bus], [name, undefined]);
  }
  const redis = await find("redis");
  assert.deepEqual([redis?.state?.kinds.state, redis?.bus], ["ephemeral", undefined]);
  mkdirSync(directory.join("node_modules/@acme/db"), { recursive: true });
  writeFileSync(
    directory.join("node_modules/@acme/db/index.mjs"),
    "export const db = { name: 'db', kinds: { state: 'durable' }, openState() {} };" +
      "export const bus = { name: 'b', durability: 'durable', openBus() {} };",
  );
  writeFileSync(
    directory.join("node_modules/@acme/db/package.json"),
    '{"name":"@acme/db","exports":"./index.mjs"}',
  );
  const acme = await find("@acme/db");
  assert.deepEqual([acme?.state?.name, acme?.bus?.name], ["@acme/db", "@acme/db"]);
});

test("a module that offers no engine is none, one that is not there cannot be found", async () => {
  await using directory = await temporaryDirectory("engines");
  writeFileSync(directory.join("plain.mjs"), "export const x = 1;");
  const find = createEngineFinder(directory.path);
  assert.equal(await find("./plain.mjs"), undefined);
  await assert.rejects(find("@acme/none"), { code: "MODULE_NOT_FOUND" });
  await assert.rejects(find("__proto__"), { code: "MODULE_NOT_FOUND" });
});
