/**
 * A receiver of OTLP in a process of its own: node:http and grpc-js, decoded by protobufjs. Run
 * with an argument, this file is that process; it prints what it gets, one line of JSON each, and
 * answers what it was told to, else with success.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server as NetServer } from "node:net";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { spawnNode, until } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import * as grpc from "@grpc/grpc-js";
import {
  decodeJson,
  decodeProtobuf,
  responses,
  retryInfoType,
  statusType,
} from "./otlp-decoder.test.ts";
import type { Decoded, MessageName } from "./otlp-decoder.test.ts";

/** What the receiver shall answer to one request; a script of them is used up one by one. */
export type Answer =
  | { readonly kind: "accept" }
  | { readonly kind: "partial"; readonly rejected: number; readonly message: string }
  | {
      readonly kind: "http";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      /** Answers with a `google.rpc.Status` of this message. */
      readonly message?: string;
    }
  | {
      readonly kind: "grpc";
      readonly code: number;
      readonly message: string;
      readonly retryAfterMs?: number;
    }
  /** Never answers. */
  | { readonly kind: "hang" }
  /** The process ends. */
  | { readonly kind: "die" };

export interface Received {
  readonly protocol: "http/protobuf" | "http/json" | "grpc";
  readonly signal: MessageName;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, before it was decompressed. */
  readonly wireBytes: number;
  readonly request: Decoded;
}

export interface ReceiverOptions {
  /** Default: any free one. */
  readonly httpPort?: number;
  readonly grpcPort?: number;
  /** Paths of PEM files. */
  readonly tls?: {
    readonly certificate: string;
    readonly key: string;
    /** Asks for a client's certificate of this authority. */
    readonly clientCa?: string;
  };
}

/** The test's side. */
export class Receiver implements AsyncDisposable {
  readonly child: Child;
  readonly #control: number;
  #from = 0;
  readonly http: string;
  readonly grpc: string;

  constructor(
    child: Child,
    ports: { http: number; grpc: number; control: number },
    scheme: string,
  ) {
    this.child = child;
    this.http = `${scheme}://localhost:${ports.http}`;
    this.grpc = `${scheme}://localhost:${ports.grpc}`;
    this.#control = ports.control;
  }

  endpointFor(protocol: string): string {
    return protocol === "grpc" ? this.grpc : this.http;
  }

  /** Adds to the script. */
  answer(...answers: readonly Answer[]): Promise<void> {
    return this.#tell("POST", answers);
  }

  /** Everything that came so far, since it was opened or renewed. */
  get received(): readonly Received[] {
    return this.child.lines
      .filter(({ index, text }) => index >= this.#from && text.startsWith("received "))
      .map(({ text }): Received => JSON.parse(text.slice("received ".length)));
  }

  /** Forgets what came and what was to be answered: a receiver is cheaper kept than started. */
  async renew(): Promise<this> {
    const from = this.child.nextIndex;
    await this.#tell("PUT", []);
    // Printed after all that came before: what is read later is of the new time.
    this.#from = (await this.child.waitForLine(/^renewed$/, { from })).index + 1;
    return this;
  }

  /**
   * Waits until so many requests came, and answers them. An answer may be here before the line that
   * tells of its request.
   */
  untilReceived(count: number): Promise<readonly Received[]> {
    return until(() => (this.received.length >= count ? this.received : false), {
      what: `The receiver's request ${count}`,
    });
  }

  async #tell(method: string, answers: readonly Answer[]): Promise<void> {
    const url = `http://localhost:${this.#control}`;
    const response = await fetch(url, { method, body: JSON.stringify(answers) });
    assert.equal(response.status, 204);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child[Symbol.asyncDispose]();
  }
}

export async function openReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const child = spawnNode(import.meta.filename, [JSON.stringify(options)]);
  const { match } = await child.waitForLine(/^ready (.*)$/);
  const scheme = options.tls === undefined ? "http" : "https";
  return new Receiver(child, JSON.parse(match[1] ?? "{}"), scheme);
}

// --- The child's side ------------------------------------------------------------------------

const script: Answer[] = [];

async function serve(options: ReceiverOptions): Promise<void> {
  const control = createServer((request, response) => {
    void readBody(request).then((body) => {
      if (request.method === "PUT") {
        script.length = 0;
        process.stdout.write("renewed\n");
      }
      script.push(...(JSON.parse(body.toString()) as Answer[]));
      response.writeHead(204).end();
    });
  });
  const ports = {
    http: await listen(openHttp(options.tls), options.httpPort ?? 0),
    grpc: await openGrpc(options),
    control: await listen(control, 0),
  };
  process.stdout.write(`ready ${JSON.stringify(ports)}\n`);
}

async function listen(server: NetServer, port: number): Promise<number> {
  server.listen(port, "localhost");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  return address.port;
}

function openHttp(tls: ReceiverOptions["tls"]): NetServer {
  const onRequest: RequestListener = (request, response) => {
    void receiveHttp(request, response);
  };
  if (tls === undefined) return createServer(onRequest);
  const { clientCa } = tls;
  return createSecureServer(
    {
      cert: readFileSync(tls.certificate),
      key: readFileSync(tls.key),
      ...(clientCa === undefined
        ? {}
        : { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true }),
    },
    onRequest,
  );
}

async function receiveHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wire = await readBody(request);
  const { headers, url = "" } = request;
  const isJson = headers["content-type"] === "application/json";
  assert(isJson || headers["content-type"] === "application/x-protobuf");
  assert.equal(request.method, "POST");
  assert.equal(Number(headers["content-length"]), wire.length);
  const body = headers["content-encoding"] === "gzip" ? gunzipSync(wire) : wire;
  const signal = url.split("?")[0]?.endsWith("/v1/traces") === true ? "traces" : "metrics";
  tell({
    protocol: isJson ? "http/json" : "http/protobuf",
    signal,
    path: url,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, String(value)]),
    ),
    wireBytes: wire.length,
    request: isJson ? decodeJson(signal, body.toString()) : decodeProtobuf(signal, body),
  });
  const answer = script.shift() ?? { kind: "accept" };
  if (answer.kind === "hang") return;
  if (answer.kind === "die") process.exit(0);
  const type = isJson ? "application/json" : "application/x-protobuf";
  if (answer.kind === "http") {
    const { status, body: text, message } = answer;
    response.writeHead(status, { "content-type": type, ...answer.headers });
    if (message === undefined) response.end(text);
    else if (isJson) response.end(JSON.stringify({ message }));
    else response.end(statusType.encode(statusType.create({ message })).finish());
    return;
  }
  response.writeHead(200, { "content-type": type });
  response.end(
    isJson ? JSON.stringify(jsonResponse(signal, answer)) : protobufResponse(signal, answer),
  );
}

function jsonResponse(signal: MessageName, answer: Answer): object {
  if (answer.kind !== "partial") return {};
  const name = signal === "traces" ? "rejectedSpans" : "rejectedDataPoints";
  return { partialSuccess: { [name]: `${answer.rejected}`, errorMessage: answer.message } };
}

function protobufResponse(signal: MessageName, answer: Answer): Uint8Array {
  const type = responses[signal];
  return type.encode(type.fromObject(jsonResponse(signal, answer))).finish();
}

async function openGrpc({ grpcPort = 0, tls }: ReceiverOptions): Promise<number> {
  const server = new grpc.Server();
  for (const signal of ["traces", "metrics"] as const) {
    const service = signal === "traces" ? "trace.v1.TraceService" : "metrics.v1.MetricsService";
    const path = `/opentelemetry.proto.collector.${service}/Export`;
    const asIs = (bytes: Buffer): Buffer => bytes;
    server.addService(
      {
        Export: {
          path,
          requestStream: false,
          responseStream: false,
          requestDeserialize: asIs,
          requestSerialize: asIs,
          responseDeserialize: asIs,
          responseSerialize: asIs,
        },
      },
      {
        Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
          receiveGrpc({ signal, path, call }, reply),
      },
    );
  }
  const pair = tls && {
    cert_chain: readFileSync(tls.certificate),
    private_key: readFileSync(tls.key),
  };
  const credentials =
    pair === undefined
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(
          tls?.clientCa === undefined ? null : readFileSync(tls.clientCa),
          [pair],
          tls?.clientCa !== undefined,
        );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(`localhost:${grpcPort}`, credentials, (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  return promise;
}

interface GrpcCall {
  readonly signal: MessageName;
  readonly path: string;
  readonly call: grpc.ServerUnaryCall<Buffer, Buffer>;
}

function receiveGrpc({ signal, path, call }: GrpcCall, reply: grpc.sendUnaryData<Buffer>): void {
  tell({
    protocol: "grpc",
    signal,
    path,
    headers: Object.fromEntries(
      Object.entries(call.metadata.getMap()).map(([name, value]) => [name, value.toString()]),
    ),
    wireBytes: call.request.length,
    request: decodeProtobuf(signal, call.request),
  });
  const answer = script.shift() ?? { kind: "accept" };
  if (answer.kind === "hang") return;
  if (answer.kind === "die") process.exit(0);
  if (answer.kind !== "grpc") {
    reply(null, Buffer.from(protobufResponse(signal, answer)));
    return;
  }
  const { code, message, retryAfterMs } = answer;
  const metadata = new grpc.Metadata();
  if (retryAfterMs !== undefined) metadata.set("grpc-status-details-bin", retryDetails(answer));
  reply({ code, details: message, metadata });
}

function retryDetails(answer: { readonly code: number; readonly retryAfterMs?: number }): Buffer {
  const { code, retryAfterMs = 0 } = answer;
  const retryDelay = {
    seconds: Math.floor(retryAfterMs / 1000),
    nanos: (retryAfterMs % 1000) * 1_000_000,
  };
  const details = [
    { type_url: "type.googleapis.com/google.rpc.DebugInfo", value: Buffer.from([1]) },
    {
      type_url: "type.googleapis.com/google.rpc.RetryInfo",
      value: retryInfoType.encode(retryInfoType.fromObject({ retryDelay })).finish(),
    },
  ].map(({ type_url, value }) => ({ typeUrl: type_url, value }));
  return Buffer.from(statusType.encode(statusType.fromObject({ code, details })).finish());
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function tell(received: Received): void {
  // JSON has no such numbers.
  const text = JSON.stringify(received, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
  process.stdout.write(`received ${text}\n`);
}

if (import.meta.main) {
  const [, , options] = process.argv;
  if (options === undefined) {
    test("the receiver runs in a process of its own and says what it got", async () => {
      await using receiver = await openReceiver();
      const post = (): Promise<Response> =>
        fetch(`${receiver.http}/v1/traces`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}",
        });
      await receiver.answer({ kind: "http", status: 418 });
      assert.equal((await post()).status, 418);
      assert.equal((await post()).status, 200);
      const [first] = await receiver.untilReceived(2);
      assert.deepEqual(first?.request, { resourceSpans: [] });
    });
  } else await serve(JSON.parse(options) as ReceiverOptions);
}
