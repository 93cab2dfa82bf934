/** A fleet whose registry is only read, and what a node tells it of its own health. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { defineContract, defineService, isBanyanError } from "@banyan/kernel";
import type { Health } from "@banyan/kernel";
import { freePort, temporaryDirectory } from "@banyan/testbed";
import { openNode } from "./node.ts";
import { nodeContract } from "./node-contract.ts";
import { openBed, secret, untilSo, urlOf } from "./sample-fleet.test.ts";
import { defineSample, flagsOf, post } from "./sample-node.test.ts";

test("nodes find each other by a file, and whoever is added to it is called", async () => {
  await using folder = await temporaryDirectory("fleet-file");
  await using bed = openBed();
  const [one, two] = [await freePort(), await freePort()];
  const path = folder.join("fleet.json");
  const write = (...ports: readonly number[]): void => {
    const nodes = ports.map((port) => ({ host: "127.0.0.1", port }));
    writeFileSync(path, JSON.stringify({ nodes }));
  };
  write();
  const on = (port: number) => ({ "/mesh/registry": `file:${path}`, "/mesh/port": port });
  const back = await bed.open("back", [defineSample()], on(two));
  const front = await bed.open("front", [], on(one));
  const greet = () => post([urlOf(front), "/sample/greet"], `{"name":"Ada"}`);
  assert.equal((await greet()).status, 404, "nobody knows of the other yet");
  write(one, two);
  await untilSo(async () => (await greet()).status === 200);
  const { mesh } = front.client(nodeContract);
  const known = async (): Promise<string[]> =>
    (await mesh.endpoints({})).endpoints.map(({ node }) => node);
  assert.deepEqual((await known()).toSorted(), ["back", "front"]);
  await assert.rejects(mesh.place({ apps: {} }), (error) =>
    isBanyanError(error, "MAPPING_READ_ONLY"),
  );
  await back.close();
  await untilSo(async () => !(await known()).includes("back"));
});

test("a registry that cannot be read as one is refused with how to write it", async () => {
  const start = (registry: string, more: Record<string, unknown> = {}) =>
    openNode({
      services: [],
      inMemory: true,
      config: { flags: flagsOf({ "/mesh/registry": registry, "/mesh/secret": secret, ...more }) },
    });
  await assert.rejects(start("file:"), /names no file\.[^]*file:fleet\.json/);
  await assert.rejects(start("dns:"), /names no name/);
  await assert.rejects(start("dns:mesh.example"), /lacks the port[^]*dns:mesh\.example:7700/);
  await assert.rejects(start("dns:mesh.example:70000"), /lacks the port/);
  await assert.rejects(
    start("file:fleet.json", { "/mesh/mappings": { orders: "shop" } }),
    /is only read, so nothing can be placed/,
  );
  await assert.rejects(start("file:not/there.json"), (error) =>
    isBanyanError(error, "MESH_REGISTRY_INVALID"),
  );
});

test("a node whose service is not well is degraded for the others until it is", async () => {
  await using bed = openBed();
  let health: Health = { kind: "healthy" };
  const frail = defineContract("frail", { summary: "Not always well.", version: "1.0.0" });
  await bed.open("b", [defineService(frail, () => ({ health: () => health }))]);
  const { mesh } = (await bed.open("a", [])).client(nodeContract);
  const rowOf = async () => (await mesh.endpoints({})).endpoints.find(({ node }) => node === "b");
  assert.equal((await rowOf())?.status, "up");
  health = { kind: "degraded", reason: "it is tired" };
  await untilSo(async () => (await rowOf())?.status === "degraded");
  assert.deepEqual((await rowOf())?.issues, ["frail is degraded: it is tired"]);
  health = { kind: "healthy" };
  await untilSo(async () => (await rowOf())?.status === "up");
});
