import assert from "node:assert/strict";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "@banyan/testbed";
import { fileRegistry } from "./file-registry.ts";

test("a file is read again when its content has changed, whatever its time says", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "nodes.json");
  const write = async (port: number): Promise<void> => {
    await writeFile(path, JSON.stringify({ nodes: [{ host: "h", port }] }));
    await utimes(path, 1000, 1000);
  };
  const registry = fileRegistry({ path });
  await write(7001);
  assert.deepEqual((await registry.read()).seeds, [{ host: "h", port: 7001 }]);
  assert.equal(await registry.read(), await registry.read(), "what is the same is not read anew");
  await write(7002);
  assert.deepEqual((await registry.read()).seeds, [{ host: "h", port: 7002 }]);
});

test("a file may say how services are placed", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "nodes.json");
  const mapping = { epoch: "1", version: 3, apps: { shop: "blue" } };
  const nodes = [{ host: "h", port: 1, app: "blue" }];
  await writeFile(path, JSON.stringify({ nodes, mapping }));
  assert.deepEqual(await fileRegistry({ path }).read(), { seeds: nodes, mapping });
});

const wrongs: readonly (readonly [what: string, text: string, said: RegExp])[] = [
  ["half-written", '{ "nodes": [{ "host"', /nodes\.json is no JSON/],
  ["empty", "", /nodes\.json is no JSON/],
  ["another thing", "[]", /needs/],
  ["without a port", '{ "nodes": [{ "host": "h" }] }', /"\/nodes\/0\/port"/],
  ["of a port too high", '{ "nodes": [{ "host": "h", "port": 70000 }] }', /"\/nodes\/0\/port"/],
  ["misspelt", '{ "nodes": [], "mappings": {} }', /mappings/],
];

for (const [what, text, said] of wrongs) {
  test(`a file that is ${what} is refused with the place and the fix`, async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "nodes.json");
    await writeFile(path, text);
    await assert.rejects(fileRegistry({ path }).read(), (error: Error & { code?: string }) => {
      assert.equal(error.code, "MESH_REGISTRY_INVALID");
      assert.match(error.message, said);
      assert.match(error.message, /It holds \{ "nodes"/);
      return true;
    });
  });
}

test("a file that is not there is named", async () => {
  await assert.rejects(fileRegistry({ path: "no/such/nodes.json" }).read(), {
    code: "MESH_REGISTRY_INVALID",
    message: /no\/such\/nodes\.json cannot be read/,
  });
});
