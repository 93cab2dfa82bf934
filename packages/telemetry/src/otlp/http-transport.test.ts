/** HTTP with servers that do what a good receiver does not. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createNetServer } from "node:net";
import type { Server } from "node:net";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import type { ExportAnswer } from "./export-answer.ts";
import { HttpTransport } from "./http-transport.ts";
import { findTargets } from "./otlp-target.ts";

interface Opened extends AsyncDisposable {
  send(abort?: AbortSignal): Promise<ExportAnswer>;
}

async function openWith(server: Server): Promise<Opened> {
  server.listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  const endpoint = `http://localhost:${address.port}`;
  const transport = new HttpTransport({
    targets: findTargets({ endpoint, isGrpc: false, hasTls: false }),
    format: "protobuf",
    headers: {},
    isGzip: false,
    tls: {},
    clock: new FakeClock(),
  });
  return {
    send: (abort = new AbortController().signal) =>
      transport.send({ signal: "traces", body: Buffer.from("x") }, abort),
    [Symbol.asyncDispose]: async () => {
      transport.close();
      server.close();
      await once(server, "close");
    },
  };
}

function open(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Opened> {
  return openWith(
    createServer((request, response) => {
      request.resume();
      request.on("end", () => onRequest(request, response));
    }),
  );
}

test("a kept connection that is closed just then is no failure", async () => {
  const ports: (number | undefined)[] = [];
  await using opened = await open((request, response) => {
    const { remotePort } = request.socket;
    ports.push(remotePort);
    if (ports.length === 2) request.socket.destroy();
    else response.end();
  });
  assert.equal((await opened.send()).kind, "accepted");
  assert.equal((await opened.send()).kind, "accepted");
  assert.equal(ports.length, 3);
  assert.equal(ports[0], ports[1], "it was kept");
  assert.notEqual(ports[1], ports[2]);
});

test("a new connection that is closed is one", async () => {
  await using opened = await open((request) => request.socket.destroy());
  const answer = await opened.send();
  assert.equal(answer.kind, "again");
  assert.match(JSON.stringify(answer), /ECONNRESET/);
});

test("statuses are tried again as the specification lists them, and only those", async () => {
  let status = 200;
  await using opened = await open((_, response) => response.writeHead(status).end());
  const kinds = new Map<number, string>();
  for (status of [200, 202, 301, 400, 401, 404, 408, 413, 429, 500, 501, 502, 503, 504]) {
    kinds.set(status, (await opened.send()).kind);
  }
  const byKind = Map.groupBy(kinds.keys(), (each) => kinds.get(each));
  assert.deepEqual(byKind.get("accepted"), [200, 202]);
  assert.deepEqual(byKind.get("again"), [429, 502, 503, 504]);
  assert.deepEqual(byKind.get("refused"), [301, 400, 401, 404, 408, 413, 500, 501]);
});

test("a reason is taken from text, not from a page", async () => {
  let type = "text/plain";
  await using opened = await open((_, response) => {
    response.writeHead(400, { "content-type": type }).end("go away");
  });
  assert.deepEqual(await opened.send(), { kind: "refused", reason: "HTTP 400: go away" });
  type = "text/html";
  assert.deepEqual(await opened.send(), { kind: "refused", reason: "HTTP 400" });
});

test("an endless answer is read to its end and not kept", async () => {
  await using opened = await open((_, response) => {
    response.writeHead(400, { "content-type": "text/plain" });
    for (let chunk = 0; chunk < 200; chunk += 1) response.write("x".repeat(16 * 1024));
    response.end();
  });
  const answer = await opened.send();
  assert(answer.kind === "refused");
  assert.ok(answer.reason.length <= 64 * 1024 + 20, `${answer.reason.length}`);
});

test("an answer that breaks off, or is none, is as good as no answer", async () => {
  await using opened = await open((request, response) => {
    response.writeHead(400, { "content-length": 100 });
    response.write("x", () => request.socket.destroy());
  });
  assert.equal((await opened.send()).kind, "again");
  const babble = createNetServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  await using other = await openWith(babble);
  const answer = await other.send();
  assert.equal(answer.kind, "again");
  assert.match(JSON.stringify(answer), /HPE_/);
});

test("a wait that is neither seconds nor a date is none", async () => {
  const waits: (number | undefined)[] = [];
  let value = "";
  await using opened = await open((_, response) => {
    response.writeHead(503, { "retry-after": value }).end();
  });
  for (value of ["3", "soon", "Tue, 01 Jan 2019 00:00:00 GMT"]) {
    const answer = await opened.send();
    assert(answer.kind === "again");
    waits.push(answer.afterMs);
  }
  assert.deepEqual(waits, [3000, undefined, 0]);
});

test("an abort ends a request, one under way and one to come", async () => {
  const asked = Promise.withResolvers<void>();
  await using opened = await open(() => asked.resolve());
  const controller = new AbortController();
  const sent = opened.send(controller.signal);
  await asked.promise;
  controller.abort(new Error("enough"));
  const expected = { kind: "again", reason: "enough", afterMs: undefined };
  assert.deepEqual(await sent, expected);
  assert.deepEqual(await opened.send(controller.signal), expected);
});
