/**
 * OTLP over HTTP/1.1: a POST for each request, on connections that are kept.
 *
 * What it owns: an agent with its connections. None of them keeps the process alive.
 * What may interrupt it: the receiver at any moment; an abort; `close`.
 *
 * I1. Every `send` is answered once, whatever happens to its connection.
 */

import { Agent, request as requestHttp } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import type { Clock } from "@banyan/kernel";
import { answerBytesMax, readAccepted, readFailure } from "./export-answer.ts";
import type { BodyFormat, ExportAnswer } from "./export-answer.ts";
import type { OtlpTls } from "./otlp-options.ts";
import { sdkVersion } from "./otlp-resource.ts";
import type { OtlpTargets } from "./otlp-target.ts";
import { brokenOff } from "./transport.ts";
import type { ExportRequest, Transport } from "./transport.ts";

export interface HttpTransportOptions {
  readonly targets: OtlpTargets;
  readonly format: BodyFormat;
  readonly headers: Readonly<Record<string, string>>;
  readonly isGzip: boolean;
  readonly tls: OtlpTls;
  /** For dates in `Retry-After`. */
  readonly clock: Clock;
}

const contentTypes: Readonly<Record<BodyFormat, string>> = {
  protobuf: "application/x-protobuf",
  json: "application/json",
};

/** What the specification wants tried again; every other failure is final. */
const statusesAgain = new Set([429, 502, 503, 504]);

export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #agent: Agent;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: 2 }; // one for each signal
    this.#agent = options.targets.isSecure
      ? new SecureAgent({ ...kept, ...options.tls })
      : new Agent(kept);
  }

  async send(request: ExportRequest, abort: AbortSignal): Promise<ExportAnswer> {
    if (abort.aborted) return brokenOff(abort.reason);
    const first = await this.#sendOnce(request, abort);
    // The receiver had closed a kept connection just then: that says nothing about the receiver.
    return first === "stale" ? readSecond(await this.#sendOnce(request, abort)) : first;
  }

  close(): void {
    this.#agent.destroy();
  }

  #sendOnce({ signal, body }: ExportRequest, abort: AbortSignal): Promise<ExportAnswer | "stale"> {
    const { promise, resolve } = Promise.withResolvers<ExportAnswer | "stale">();
    const request = this.#open(this.#options.targets[signal], body.length);
    const onAbort = (): void => {
      resolve(brokenOff(abort.reason));
      request.destroy();
    };
    abort.addEventListener("abort", onAbort, { once: true });
    request.on("socket", (socket) => socket.unref());
    request.on("error", (error) => resolve(isStale(request, error) ? "stale" : brokenOff(error)));
    request.on("response", (response) => {
      void this.#read(response).then(resolve, (error: unknown) => resolve(brokenOff(error)));
    });
    request.end(body);
    return promise.finally(() => abort.removeEventListener("abort", onAbort));
  }

  #open(target: URL, sizeBytes: number): ClientRequest {
    const { format, headers, isGzip, targets } = this.#options;
    const options: RequestOptions = {
      method: "POST",
      agent: this.#agent,
      headers: {
        "user-agent": `banyan-otlp/${sdkVersion}`,
        ...headers,
        "content-type": contentTypes[format],
        "content-length": sizeBytes,
        ...(isGzip ? { "content-encoding": "gzip" } : {}),
      },
    };
    return targets.isSecure ? requestHttps(target, options) : requestHttp(target, options);
  }

  async #read(response: IncomingMessage): Promise<ExportAnswer> {
    const { statusCode = 0, headers } = response;
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of response) {
      // No encoding is set, so it is bytes.
      if (!(chunk instanceof Buffer) || sizeBytes + chunk.length > answerBytesMax) continue;
      chunks.push(chunk);
      sizeBytes += chunk.length;
    }
    const body = Buffer.concat(chunks);
    const type = headers["content-type"];
    if (statusCode >= 200 && statusCode < 300) {
      const format = formatOf(type);
      return readAccepted(format === undefined ? Buffer.alloc(0) : body, format ?? "protobuf");
    }
    const reason = failureText(statusCode, body, type);
    if (!statusesAgain.has(statusCode)) return { kind: "refused", reason };
    const afterMs = readRetryAfter(headers["retry-after"], this.#options.clock);
    return { kind: "again", reason, afterMs };
  }
}

/** Twice in a row: then it is an ordinary failure. */
function readSecond(answer: ExportAnswer | "stale"): ExportAnswer {
  return answer === "stale" ? brokenOff(new Error("The receiver closed the connection.")) : answer;
}

function isStale(request: ClientRequest, error: Error): boolean {
  const code = "code" in error ? error.code : undefined;
  return request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
}

function formatOf(contentType: string | undefined): BodyFormat | undefined {
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  if (type === contentTypes.json) return "json";
  return type === contentTypes.protobuf || type === "application/protobuf" ? "protobuf" : undefined;
}

function failureText(status: number, body: Buffer, contentType: string | undefined): string {
  const format = formatOf(contentType);
  const isText = contentType?.startsWith("text/plain") === true;
  const said = format === undefined ? (isText ? body.toString() : "") : readFailure(body, format);
  return said === "" ? `HTTP ${status}` : `HTTP ${status}: ${said}`;
}

/** Seconds, or a date of HTTP. What is neither is as good as nothing. */
function readRetryAfter(value: string | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1e3;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - clock.nowMs());
}
