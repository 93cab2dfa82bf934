import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { findFreePorts, freePort } from "./free-port.ts";

test("a free port can be listened on", async () => {
  const server = createServer().listen(await freePort(), "127.0.0.1");
  await once(server, "listening");
  server.close();
});

test("a free port is none that the system hands out on its own", async () => {
  const ports = await findFreePorts(50);
  assert(ports.every((port) => port >= 20_000 && port < 30_000));
});

test("several free ports are different", async () => {
  const ports = await findFreePorts(20);
  assert.equal(new Set(ports).size, 20);
});
