import assert from "node:assert/strict";
import { test } from "node:test";
import { openNode } from "@banyan/host";
import { greeter } from "./greeter.contract.ts";
import service from "./greeter.service.ts";

test("the greeter counts how often it greeted each name", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const client = node.client(greeter);
  assert.deepEqual(await client.greet({ name: "Ada" }), { text: "Hello, Ada!", count: 1 });
  assert.deepEqual(await client.greet({ name: "Ada" }), { text: "Hello, Ada!", count: 2 });
  assert.deepEqual(await client.greet({ name: "Bob" }), { text: "Hello, Bob!", count: 1 });
});

test("the greeter's salutation is a setting", async () => {
  const flag = { pointer: "/services/greeter/salutation", value: "Ahoy", flag: "test" };
  await using node = await openNode({
    services: [service],
    config: { flags: [flag] },
    inMemory: true,
  });
  const { text } = await node.client(greeter).greet({ name: "Ada" });
  assert.equal(text, "Ahoy, Ada!");
});

test("the greeter refuses an empty name and counts nothing", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const client = node.client(greeter);
  await assert.rejects(Promise.resolve(client.greet({ name: "" })), { code: "REQUEST_INVALID" });
  assert.equal((await client.greet({ name: "Ada" })).count, 1);
});
