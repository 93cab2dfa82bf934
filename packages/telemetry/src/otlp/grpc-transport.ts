/**
 * OTLP over gRPC: unary calls on one HTTP/2 connection, spoken by hand. A call is five bytes (not
 * compressed or compressed, length) and the message; the status comes in the trailers.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 * What it owns: one session, opened by the first call and again by the first after it broke. It
 * does not keep the process alive.
 * What may interrupt it: the receiver at any moment (GOAWAY, reset, silence); an abort; `close`.
 *
 * I1. Every `send` is answered once, whatever happens to its stream or session.
 * I2. A session that let a call time out is given up: nobody can tell a slow receiver from a dead
 *     connection.
 */

import { connect, constants } from "node:http2";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from "node:http2";
import { answerBytesMax, acceptedWhole, readAccepted } from "./export-answer.ts";
import type { ExportAnswer } from "./export-answer.ts";
import { answerFailure, answerHttpStatus } from "./grpc-status.ts";
import type { OtlpTls } from "./otlp-options.ts";
import { sdkVersion } from "./otlp-resource.ts";
import type { OtlpSignal, OtlpTargets } from "./otlp-target.ts";
import { brokenOff } from "./transport.ts";
import type { ExportRequest, Transport } from "./transport.ts";

export interface GrpcTransportOptions {
  readonly targets: OtlpTargets;
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzip: boolean;
  readonly tls: OtlpTls;
  /** Told to the receiver; keeping it is the caller's, by the abort signal. */
  readonly timeoutMs: number;
}

const paths: Readonly<Record<OtlpSignal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
};

const prefixBytes = 5;

export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  #session: ClientHttp2Session | undefined;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
  }

  async send(request: ExportRequest, abort: AbortSignal): Promise<ExportAnswer> {
    if (abort.aborted) return brokenOff(abort.reason);
    try {
      return await this.#call(request, abort);
    } catch (error) {
      // A session may be found broken at the very moment a call is made on it.
      return brokenOff(error);
    }
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #call({ signal, body }: ExportRequest, abort: AbortSignal): Promise<ExportAnswer> {
    const { promise, resolve } = Promise.withResolvers<ExportAnswer>();
    const session = this.#connected();
    const stream = session.request(this.#headersFor(signal));
    const onAbort = (): void => {
      resolve(brokenOff(abort.reason));
      stream.close(constants.NGHTTP2_CANCEL);
      this.#giveUp(session);
    };
    abort.addEventListener("abort", onAbort, { once: true });
    readAnswer(stream, resolve);
    stream.write(prefixOf(body, this.#options.isGzip));
    stream.end(body);
    return promise.finally(() => abort.removeEventListener("abort", onAbort));
  }

  /** The session, a new one if there is none that takes calls. */
  #connected(): ClientHttp2Session {
    const known = this.#session;
    // After a GOAWAY it is closed: calls under way are still answered, no new ones are made.
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const { targets, tls } = this.#options;
    const session = connect(targets.traces, { ...tls });
    session.unref();
    // Its calls fail with it and tell why; unheard, the error would end the process.
    session.on("error", () => undefined);
    session.on("close", () => this.#forget(session));
    this.#session = session;
    return session;
  }

  /** I2. */
  #giveUp(session: ClientHttp2Session): void {
    this.#forget(session);
    session.destroy();
  }

  #forget(session: ClientHttp2Session): void {
    if (this.#session === session) this.#session = undefined;
  }

  #headersFor(signal: OtlpSignal): OutgoingHttpHeaders {
    const { headers, isGzip, timeoutMs } = this.#options;
    return {
      "user-agent": `banyan-otlp/${sdkVersion}`,
      ...headers,
      ":method": "POST",
      ":path": paths[signal],
      "content-type": "application/grpc+proto",
      te: "trailers",
      "grpc-timeout": `${timeoutMs}m`,
      "grpc-accept-encoding": "identity",
      ...(isGzip ? { "grpc-encoding": "gzip" } : {}),
    };
  }
}

function prefixOf(body: Uint8Array, isGzip: boolean): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt8(isGzip ? 1 : 0, 0);
  prefix.writeUInt32BE(body.length, 1);
  return prefix;
}

/** What was heard of one call so far. */
interface Heard {
  httpStatus: number | undefined;
  status: Status | undefined;
  readonly chunks: Buffer[];
  sizeBytes: number;
}

interface Status {
  readonly code: number;
  readonly message: string;
  readonly details: Uint8Array | undefined;
}

function readAnswer(stream: ClientHttp2Stream, resolve: (answer: ExportAnswer) => void): void {
  const heard: Heard = { httpStatus: undefined, status: undefined, chunks: [], sizeBytes: 0 };
  stream.on("response", (headers) => {
    heard.httpStatus = headers[":status"];
    // A call that is refused at once has its status here and no trailers.
    heard.status ??= statusOf(headers);
  });
  stream.on("trailers", (headers: IncomingHttpHeaders) => {
    heard.status = statusOf(headers) ?? heard.status;
  });
  stream.on("data", (chunk: Buffer) => {
    if (heard.sizeBytes + chunk.length > answerBytesMax) return;
    heard.chunks.push(chunk);
    heard.sizeBytes += chunk.length;
  });
  stream.on("error", (error) => resolve(answerOf(heard) ?? brokenOff(error)));
  stream.on("close", () => {
    const reset = new Error(`The receiver ended the call without a status (${stream.rstCode}).`);
    resolve(answerOf(heard) ?? brokenOff(reset));
  });
}

/** `undefined` while neither a status nor a refusal was heard. */
function answerOf({ httpStatus, status, chunks }: Heard): ExportAnswer | undefined {
  if (status !== undefined) {
    if (status.code !== 0) return answerFailure(status);
    const body = Buffer.concat(chunks);
    const isPlain = body.length >= prefixBytes && body[0] === 0;
    return isPlain ? readAccepted(body.subarray(prefixBytes), "protobuf") : acceptedWhole;
  }
  return httpStatus === undefined || httpStatus === 200 ? undefined : answerHttpStatus(httpStatus);
}

function statusOf(headers: IncomingHttpHeaders): Status | undefined {
  const code = headers["grpc-status"];
  if (code === undefined) return undefined;
  const message = headers["grpc-message"];
  const details = headers["grpc-status-details-bin"];
  return {
    code: Number(code),
    message: typeof message === "string" ? decodePercent(message) : "",
    details: typeof details === "string" ? Buffer.from(details, "base64") : undefined,
  };
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Badly escaped: it is shown as it came.
    return text;
  }
}
