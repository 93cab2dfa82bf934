/** What a port answers before a node has its engines, to whom, and that it goes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as secureRequest } from "node:https";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { systemClock } from "@banyan/kernel";
import {
  createRecordingLog,
  createTestCertificates,
  findReasonToSkip,
  freePort,
  opensslPrograms,
  until,
} from "@banyan/testbed";
import { resolveNodeOptions } from "./options.ts";
import { flagsOf } from "./sample-node.test.ts";
import { setUpNode } from "./setup.ts";
import { createWaitingRoom } from "./waiting-room.ts";

const skip = await findReasonToSkip(opensslPrograms);

async function roomOn(port: number, settings: Record<string, unknown> = {}) {
  const flags = flagsOf({ "/http/port": port, ...settings });
  const { config } = await setUpNode(resolveNodeOptions({ services: [], config: { flags } }));
  const log = createRecordingLog();
  const room = createWaitingRoom({
    config: config.http,
    clock: systemClock,
    log,
    readiness: async () => ({ status: "not ready", phase: "starting", services: {}, engines: {} }),
  });
  return { room, lines: log.lines };
}

async function get(port: number, path: string, host = "localhost"): Promise<number | undefined> {
  const asked = request({ port, host: "127.0.0.1", path, headers: { host } }).end();
  // The event of an answer has one argument, the answer.
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

test("a waiting node answers its own names alone, and nothing but health", async () => {
  const port = await freePort();
  const { room } = await roomOn(port);
  await using _ = room;
  room.open();
  assert.equal(await until(() => get(port, "/healthz"), { what: "The port's opening" }), 200);
  assert.equal(await get(port, "/readyz?verbose"), 503);
  assert.equal(await get(port, "/greeter/greet"), 503);
  assert.equal(await get(port, "/healthz", "evil.example"), 421);
});

test("a node of HTTPS waits by HTTPS", { skip }, async () => {
  await using certificates = await createTestCertificates();
  const { certificate, key } = certificates.server;
  const port = await freePort();
  const { room } = await roomOn(port, { "/http/tls": { certFile: certificate, keyFile: key } });
  await using _ = room;
  room.open();
  const status = async (): Promise<number | undefined> => {
    const asked = secureRequest({ port, path: "/healthz", rejectUnauthorized: false }).end();
    // The event of an answer has one argument, the answer.
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  assert.equal(await until(status, { what: "The port's opening" }), 200);
});

test("its port is free when it has closed, whoever is still connected", async () => {
  const port = await freePort();
  const { room } = await roomOn(port);
  room.open();
  await until(() => get(port, "/healthz"), { what: "The port's opening" });
  const idle = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(idle, "connect");
  await room.close();
  await room.close();
  room.open();
  const next = createServer().listen(port, "127.0.0.1");
  await once(next, "listening");
  next.close();
  idle.destroy();
});

test("a port that is taken is told, and no reason to fail", async () => {
  const taken = createServer().listen(await freePort(), "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  assert(address !== null && typeof address === "object");
  const { room, lines } = await roomOn(address.port);
  room.open();
  await room.close();
  assert.match(String(lines[0]?.fields["reason"]), /EADDRINUSE/);
  taken.close();
});
