/** gRPC with servers that do what a good receiver does not. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { constants, createServer } from "node:http2";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { test } from "node:test";
import { until } from "@banyan/testbed";
import type { ExportAnswer } from "./export-answer.ts";
import { acceptedWhole } from "./export-answer.ts";
import { GrpcTransport } from "./grpc-transport.ts";
import { findTargets } from "./otlp-target.ts";

interface Opened extends AsyncDisposable {
  readonly sessions: ServerHttp2Session[];
  send(abort?: AbortSignal): Promise<ExportAnswer>;
}

type OnStream = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void;

async function openWith(server: Server, sessions: ServerHttp2Session[] = []): Promise<Opened> {
  server.listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  const endpoint = `http://localhost:${address.port}`;
  const transport = new GrpcTransport({
    targets: findTargets({ endpoint, isGrpc: true, hasTls: false }),
    headers: { "x-tenant": "a" },
    isGzip: false,
    tls: {},
    timeoutMs: 10_000,
  });
  return {
    sessions,
    send: (abort = new AbortController().signal) =>
      transport.send({ signal: "traces", body: Buffer.from("x") }, abort),
    [Symbol.asyncDispose]: async () => {
      transport.close();
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function open(onStream: OnStream): Promise<Opened> {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on("session", (session) => {
    session.on("error", () => undefined);
    sessions.push(session);
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    onStream(stream, headers);
  });
  return openWith(server, sessions);
}

/** A success as gRPC writes it: headers, an empty message, trailers. */
function accept(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
}

function refuse(stream: ServerHttp2Stream, trailers: Readonly<Record<string, string>>): void {
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", ...trailers },
    { endStream: true },
  );
}

test("a call is written as gRPC wants it, on one connection", async () => {
  const heard: Readonly<Record<string, unknown>>[] = [];
  const bodies: string[] = [];
  await using opened = await open((stream, headers) => {
    heard.push(headers);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString("hex"));
      accept(stream);
    });
  });
  assert.deepEqual(await opened.send(), acceptedWhole);
  assert.deepEqual(await opened.send(), acceptedWhole);
  assert.equal(opened.sessions.length, 1);
  assert.deepEqual(bodies, ["000000000178", "000000000178"]);
  const [first = {}] = heard;
  assert.equal(first[":path"], "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
  assert.equal(first["te"], "trailers");
  assert.equal(first["content-type"], "application/grpc+proto");
  assert.equal(first["grpc-timeout"], "10000m");
  assert.equal(first["x-tenant"], "a");
});

test("a status is read from the trailers, from the headers, and with its escapes", async () => {
  let message = "kaputt%3A%20100%25";
  await using opened = await open((stream) => {
    refuse(stream, { "grpc-status": "3", "grpc-message": message });
  });
  assert.deepEqual(await opened.send(), {
    kind: "refused",
    reason: "gRPC INVALID_ARGUMENT: kaputt: 100%",
  });
  message = "100%";
  assert.deepEqual(await opened.send(), {
    kind: "refused",
    reason: "gRPC INVALID_ARGUMENT: 100%",
  });
});

test("a status of no number is a failure without a name", async () => {
  await using opened = await open((stream) => refuse(stream, { "grpc-status": "x" }));
  assert.deepEqual(await opened.send(), { kind: "refused", reason: "gRPC UNKNOWN" });
});

test("a session that says goodbye is not used again", async () => {
  await using opened = await open(accept);
  await opened.send();
  opened.sessions[0]?.goaway();
  // It hears of it a little later; until then calls are still taken.
  await until(
    async () => {
      assert.deepEqual(await opened.send(), acceptedWhole);
      return opened.sessions.length === 2;
    },
    { what: "A second session" },
  );
});

test("a session that falls takes its calls with it, and the next call opens another", async () => {
  let isFalling = true;
  await using opened = await open((stream) => {
    if (isFalling) stream.session?.destroy();
    else accept(stream);
  });
  assert.equal((await opened.send()).kind, "again");
  isFalling = false;
  assert.deepEqual(await opened.send(), acceptedWhole);
});

test("a call that is reset, or ends without a status, is tried again", async () => {
  await using resetting = await open((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
  assert.equal((await resetting.send()).kind, "again");
  await using silent = await open((stream) =>
    stream.respond({ ":status": 200 }, { endStream: true }),
  );
  const answer = await silent.send();
  assert.equal(answer.kind, "again");
  assert.match(JSON.stringify(answer), /without a status/);
});

test("what a proxy answers in the receiver's place is judged by its HTTP status", async () => {
  let status = 502;
  await using opened = await open((stream) => {
    stream.respond({ ":status": status, "content-type": "text/html" });
    stream.end("<html>");
  });
  const kinds: string[] = [];
  for (status of [502, 404]) kinds.push((await opened.send()).kind);
  assert.deepEqual(kinds, ["again", "refused"]);
});

test("a compressed answer, which nobody asked for, is taken for a plain success", async () => {
  await using opened = await open((stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([1, 0, 0, 0, 2, 8, 1]));
  });
  assert.deepEqual(await opened.send(), acceptedWhole);
});

test("a server that speaks no HTTP/2 is told of as such", async () => {
  await using opened = await openWith(createHttpServer((_, response) => response.end()));
  const answer = await opened.send();
  assert.equal(answer.kind, "again");
  assert.match(JSON.stringify(answer), /ERR_HTTP2|ECONNRESET/);
});

test("an abort ends a call and its session, which may be dead (I2)", async () => {
  const asked = Promise.withResolvers<void>();
  let isDeaf = true;
  await using opened = await open((stream) => {
    if (!isDeaf) accept(stream);
    asked.resolve();
  });
  const controller = new AbortController();
  const sent = opened.send(controller.signal);
  await asked.promise;
  controller.abort(new Error("enough"));
  const expected = { kind: "again", reason: "enough", afterMs: undefined };
  assert.deepEqual(await sent, expected);
  assert.deepEqual(await opened.send(controller.signal), expected);
  isDeaf = false;
  assert.deepEqual(await opened.send(), acceptedWhole);
  assert.equal(opened.sessions.length, 2);
});
