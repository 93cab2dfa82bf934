/** Raw HTTP exchanges: the web-standard `Request` in, a `Response` out, by the same pipeline. */

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { HttpExchange, Log } from "@banyan/kernel";
import type { CallContext, OperationRunner, SpanShape } from "@banyan/kernel/internal";
import type { FastifyReply, FastifyRequest } from "fastify";
import { hostErrors } from "../errors.ts";
import type { HttpDoor } from "./door.ts";
import { abortOnClose, initOf } from "./operation-route.ts";
import { plainHeaders, sendError } from "./reply.ts";

/** What can be got can be asked about: `HEAD` runs the handler of `GET`, without the body. */
export function methodsOf({ method }: HttpExchange): readonly ("HEAD" | HttpExchange["method"])[] {
  return method === "GET" ? ["GET", "HEAD"] : [method];
}

/** Serves a raw operation. */
export function rawRoute(runner: OperationRunner, door: HttpDoor) {
  const path = runner.operation.spec.http?.path ?? "";
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    let opened: CallContext | undefined;
    try {
      const principal = await door.principalOf(request.headers.authorization);
      const shape = rawShape(request.method, path);
      const operation = runner.name;
      const init = initOf({ operation, request, door, principal, shape }, (call) => {
        opened = call;
        abortOnClose(call, reply);
      });
      // Route parameters are text by construction of the router.
      const params = request.params as Readonly<Record<string, string>>;
      const answer = await runner.invoke({ request: webRequest(request), params }, init);
      const response = checkedResponse(runner.name, answer);
      await sendResponse(reply, response, { headOnly: request.method === "HEAD", log: door.log });
    } catch (error) {
      sendError(reply, error, { log: door.log, call: opened });
    }
    return reply;
  };
}

/** The status is in the answer, which no span is told; the metric of the surface has it. */
function rawShape(method: string, route: string): SpanShape {
  return {
    kind: "server",
    attributes: (error) => ({
      "http.request.method": method,
      "http.route": route,
      ...(error === undefined ? {} : { "http.response.status_code": error.http }),
    }),
  };
}

/** @throws HTTP_REQUEST_MALFORMED when the target is no path of this node */
function webRequest(request: FastifyRequest): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    for (const each of Array.isArray(value) ? value : [value ?? ""]) headers.append(name, each);
  }
  const { method } = request;
  const target = request.raw.url ?? "/";
  const url = `${request.protocol}://${request.headers.host ?? "localhost"}${target}`;
  if (!target.startsWith("/") || !URL.canParse(url)) {
    throw hostErrors.HTTP_REQUEST_MALFORMED("The request's target is not a path; send only that.");
  }
  const bodiless = method === "GET" || method === "HEAD";
  // The raw routes' parser hands bodies over as bytes, and nothing where there is none.
  const body = Buffer.isBuffer(request.body) && !bodiless ? new Uint8Array(request.body) : null;
  return new Request(url, { method, headers, body });
}

/** `Response.error()` and its like have no status that could be sent. */
function checkedResponse(operation: string, answer: unknown): Response {
  if (answer instanceof Response && answer.status >= 200 && !isTaken(answer)) return answer;
  // A fault of the service: logged where it is answered, as INTERNAL.
  throw new TypeError(
    `The handler of ${operation} answered a Response that cannot be sent: it has no status, or ` +
      "its body was read already.",
  );
}

/** Read, or promised to another reader. */
function isTaken({ bodyUsed, body }: Response): boolean {
  return bodyUsed || body?.locked === true;
}

async function sendResponse(
  reply: FastifyReply,
  response: Response,
  { headOnly, log }: { headOnly: boolean; log: Log },
): Promise<void> {
  const { raw } = reply;
  const cookies = response.headers.getSetCookie();
  const headers = {
    // What the guard said about the caller's origin.
    ...plainHeaders(reply),
    ...Object.fromEntries(response.headers),
    ...(cookies.length === 0 ? {} : { "set-cookie": cookies }),
  };
  // Refuses what is no header; only then is the reply ours, and Fastify can still answer that.
  raw.writeHead(response.status, headers);
  reply.hijack();
  try {
    if (response.body !== null && !headOnly) {
      await pipeline(Readable.fromWeb(response.body), raw);
      return;
    }
    await response.body?.cancel();
    raw.end();
  } catch (error) {
    // A client that hung up is no fault of ours.
    if (!isHangUp(error)) log.error("raw answer broke off", { error });
    // The head is out, so the only honest answer to a broken body is a broken connection.
    raw.destroy();
  }
}

function isHangUp(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET" || code === "EPIPE";
}
