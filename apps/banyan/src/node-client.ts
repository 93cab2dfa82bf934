/**
 * A client of one node over HTTP: one request per command, so it is Node's own `http` and nothing
 * else. What a node answers is checked before it is believed.
 */

import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { BanyanError, isBanyanError } from "@banyan/kernel";
import { isErrorKind } from "@banyan/kernel/internal";
import { cliErrors } from "./errors.ts";
import type { NodeAddress } from "./node-address.ts";
import { readEvents } from "./sse.ts";

/** How long the node may take when nobody said: longer than a call's own deadline by default. */
const timeoutDefaultMs = 60_000;
/** What the node gets to answer with its own deadline error before we give up on it. */
const graceMs = 2000;
const pageWaitMs = 5000;
const answerBytesMax = 268_435_456;

export interface CallRequest {
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs?: number | undefined;
  readonly idempotencyKey?: string | undefined;
  /** What to do when nobody knows whether the call took effect; a sentence. */
  readonly repeatAdvice?: string | undefined;
  /** Ends the connection, also in the middle of a stream. */
  readonly signal?: AbortSignal | undefined;
}

/** One value, or frames to come. */
export type CallAnswer =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "nothing" }
  | { readonly kind: "frames"; readonly frames: AsyncIterable<unknown> };

/**
 * Calls an operation.
 * @throws what the node answered, CLI_NOT_CONNECTED, CLI_CONNECTION_LOST, CLI_ANSWER_UNREADABLE
 */
export async function callNode(node: NodeAddress, call: CallRequest): Promise<CallAnswer> {
  const response = await send(node, call);
  const { statusCode = 0, headers } = response;
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
  if (statusCode === 204) {
    response.resume();
    return { kind: "nothing" };
  }
  if (statusCode === 200 && type === "text/event-stream") {
    return { kind: "frames", frames: readFrames(response, { node, ...call }) };
  }
  const text = await readText(response, { node, ...call });
  if (type === "application/problem+json") throw problemError(parse(text, node), node);
  if (statusCode === 200 && type === "application/json") {
    return { kind: "value", value: parse(text, node) };
  }
  throw unreadable(
    node,
    `it answered ${statusCode} ${type === "" ? "without a media type" : type}`,
  );
}

/** Calls an operation that answers one value. */
export function askNode(
  node: NodeAddress,
  path: string,
  body: unknown = {},
): Promise<Record<string, unknown>> {
  return askCall(node, { path, body });
}

/** The same with everything that can be said about a call. */
export async function askCall(
  node: NodeAddress,
  call: CallRequest,
): Promise<Record<string, unknown>> {
  const answer = await callNode(node, call);
  const value = answer.kind === "value" ? answer.value : undefined;
  if (isRecord(value)) return value;
  throw unreadable(node, `it answered ${call.path} with no object`);
}

/** A page of the node, such as `/readyz`, whatever its status. */
export async function getJson(node: NodeAddress, path: string): Promise<PageAnswer> {
  const response = await sendRequest(node, {
    method: "GET",
    path,
    headers: {},
    waitMs: pageWaitMs,
  });
  const body = parse(await readText(response, { node }), node);
  if (!isRecord(body)) throw unreadable(node, `${path} is no object`);
  const date = Date.parse(response.headers.date ?? "");
  return { status: response.statusCode ?? 0, body, date: Number.isNaN(date) ? undefined : date };
}

export interface PageAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** The node's own clock, to the second. */
  readonly date: number | undefined;
}

function send(node: NodeAddress, call: CallRequest): Promise<IncomingMessage> {
  const { path, body, timeoutMs, idempotencyKey, repeatAdvice, signal } = call;
  const payload = Buffer.from(JSON.stringify(body));
  const headers = {
    "content-type": "application/json",
    "content-length": String(payload.length),
    accept: "application/json, text/event-stream, application/problem+json",
    ...(timeoutMs === undefined ? {} : { "banyan-timeout-ms": String(timeoutMs) }),
    ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
  };
  const waitMs = (timeoutMs ?? timeoutDefaultMs) + graceMs;
  const options = { payload, waitMs, repeatAdvice, signal };
  return sendRequest(node, { method: "POST", path, headers, ...options });
}

interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload?: Buffer;
  readonly waitMs: number;
  readonly repeatAdvice?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

function sendRequest(node: NodeAddress, raw: RawRequest): Promise<IncomingMessage> {
  const url = new URL(`${node.url}${raw.path}`);
  const { method, waitMs, repeatAdvice, signal, payload } = raw;
  const token = node.token === undefined ? {} : { authorization: `Bearer ${node.token}` };
  const headers = { ...raw.headers, ...token };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const open = url.protocol === "https:" ? requestHttps : requestHttp;
  const request = open(url, {
    method,
    headers,
    agent: false,
    timeout: waitMs,
    ...(signal === undefined ? {} : { signal }),
  });
  request.on("response", (response) => {
    request.setTimeout(0); // a stream may be silent for as long as it likes
    resolve(response);
  });
  request.on("timeout", () => request.destroy(new Error(`no answer within ${waitMs} ms`)));
  request.on("error", (cause: NodeJS.ErrnoException) => {
    // A body that was cut off is no request: whatever it asked for was not done.
    const isCut =
      cause.code === "EPIPE" || (cause.code === "ECONNRESET" && !request.writableFinished);
    const cutBytes = isCut ? payload?.length : undefined;
    reject(connectionError(cause, { node, repeatAdvice, cutBytes }));
  });
  request.end(payload);
  return promise;
}

interface Exchange {
  readonly node: NodeAddress;
  readonly repeatAdvice?: string | undefined;
  /** Size of a body of which not everything could be sent. */
  readonly cutBytes?: number | undefined;
}

/** Only what surely never reached the node may be told as "no node": the rest may have happened. */
function connectionError(cause: NodeJS.ErrnoException, exchange: Exchange): BanyanError {
  const { node, cutBytes, repeatAdvice = "Look at what is there before you repeat it." } = exchange;
  const { code = "" } = cause;
  const neverSent = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"];
  if (neverSent.includes(code) || /CERT|SSL|TLS/.test(code)) {
    return cliErrors.CLI_NOT_CONNECTED(`No node answers at ${node.url}.`, {
      details: {
        where: cause.message === "" ? code : cause.message,
        fix: "Start one with `banyan up`, or name another with --url or --data-dir.",
      },
      cause,
    });
  }
  if (cutBytes !== undefined) {
    return cliErrors.CLI_CONNECTION_LOST(
      `${node.url} closed the connection while ${cutBytes} bytes were sent to it (${cause.message}): ` +
        "the request is too large for the node, or the node has ended. It took no effect.",
      {
        details: {
          where: node.url,
          fix: "Send less at once, and check with `banyan doctor` that the node runs.",
        },
        cause,
      },
    );
  }
  return cliErrors.CLI_CONNECTION_LOST(`The connection to ${node.url} broke: ${cause.message}.`, {
    details: {
      where: node.url,
      fix: `Whether the call took effect is not known. ${repeatAdvice}`,
    },
    cause,
  });
}

async function readText(response: IncomingMessage, exchange: Exchange): Promise<string> {
  const { node } = exchange;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      // Node's own streams give buffers as long as no encoding is set.
      const buffer = chunk as Buffer;
      size += buffer.length;
      if (size > answerBytesMax) {
        throw unreadable(node, `its answer is larger than ${answerBytesMax} bytes`);
      }
      chunks.push(buffer);
    }
  } catch (error) {
    if (isBanyanError(error)) throw error;
    throw connectionError(error instanceof Error ? error : new Error(String(error)), exchange);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* readFrames(response: IncomingMessage, exchange: Exchange): AsyncGenerator<unknown> {
  const { node } = exchange;
  let ended = false;
  try {
    for await (const { event, data } of readEvents(response)) {
      if (event === "end") {
        ended = true;
        break;
      }
      const value = parse(data, node);
      if (event === "error") throw problemError(value, node);
      if (event === "message") yield value;
    }
  } catch (error) {
    if (isBanyanError(error)) throw error;
    throw connectionError(error instanceof Error ? error : new Error(String(error)), exchange);
  } finally {
    response.destroy();
  }
  if (!ended) throw connectionError(new Error("the stream ended early"), exchange);
}

/** A problem document (RFC 9457) back to the error that it was. */
function problemError(problem: unknown, node: NodeAddress): BanyanError {
  if (!isRecord(problem)) return unreadable(node, "its error is no problem document");
  const { kind, code, detail, status, retryable, retryAfterMs, details, issues, traceId } = problem;
  if (!isErrorKind(kind) || typeof code !== "string") {
    return unreadable(node, `it answered ${String(status)} without a code`);
  }
  const hint = kind === "unauthenticated" ? { fix: tokenHint(node) } : {};
  return new BanyanError({
    kind,
    code,
    message: typeof detail === "string" ? detail : code,
    http: typeof status === "number" ? status : undefined,
    retryable: typeof retryable === "boolean" ? retryable : undefined,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    details: {
      ...(isRecord(details) ? details : {}),
      ...(Array.isArray(issues) ? { issues } : {}),
      ...(typeof traceId === "string" ? { traceId } : {}),
      ...hint,
    },
  });
}

function tokenHint(node: NodeAddress): string {
  return node.token === undefined
    ? "Name the node's data directory with --data-dir, so that its admin token is found."
    : "The admin token belongs to another node; check --data-dir.";
}

function parse(text: string, node: NodeAddress): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(node, "its answer is not JSON", cause);
  }
}

function unreadable(node: NodeAddress, why: string, cause?: unknown): BanyanError {
  return cliErrors.CLI_ANSWER_UNREADABLE(`What answers at ${node.url} is no Banyan node: ${why}.`, {
    details: { where: node.url, fix: "Check --url, and that command and node are of one version." },
    cause,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
