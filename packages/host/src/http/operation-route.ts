/** One route per operation: from an HTTP request to the pipeline and back. */

import { kernelErrors } from "@banyan/kernel/internal";
import type { CallContext, CallInit, OperationRunner, SpanShape } from "@banyan/kernel/internal";
import type { Principal } from "@banyan/kernel";
import type { Endpoint } from "@banyan/mesh";
import type { FastifyReply, FastifyRequest } from "fastify";
import { hostErrors } from "../errors.ts";
import type { HttpDoor } from "./door.ts";
import { sendAnswer, sendError } from "./reply.ts";
import { sendStream } from "./stream.ts";

/** Answers later, by `reply`: a returned promise or reply would cost Fastify a watch on its end. */
export type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => void;

/** The path of a JSON operation: `/greeter/admin/reset`. */
export function pathOf(runner: Pick<OperationRunner, "service" | "operation">): string {
  return `/${[runner.service, ...runner.operation.segments].join("/")}`;
}

/** Serves a unary or stream operation. */
export function operationRoute(runner: OperationRunner, door: HttpDoor): RouteHandler {
  const { response, stream } = runner.operation.spec;
  const status = response === undefined && stream === undefined ? 204 : 200;
  return endpointRoute(runner, door, httpShape({ method: "POST", route: pathOf(runner), status }));
}

/** Serves whatever runs an operation. */
export function endpointRoute(endpoint: Endpoint, door: HttpDoor, shape: SpanShape): RouteHandler {
  const serve = endpoint.kind === "stream" ? serveStream : serveUnary;
  const operation = endpoint.name;
  return (request, reply) => {
    let principal: Principal | Promise<Principal>;
    try {
      principal = door.principalOf(request.headers.authorization);
    } catch (error) {
      sendError(reply, error, { log: door.log });
      return;
    }
    if (principal instanceof Promise) {
      principal.then(
        (known) => serve(endpoint, { operation, request, reply, door, principal: known, shape }),
        (error: unknown) => sendError(reply, error, { log: door.log }),
      );
    } else serve(endpoint, { operation, request, reply, door, principal, shape });
  };
}

interface Exchange {
  /** Full name: `greeter.greet`. */
  readonly operation: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly door: HttpDoor;
  readonly principal: Principal;
  readonly shape: SpanShape;
}

interface RouteShape {
  readonly method: string;
  readonly route: string;
  /** Of an answer that is no error. */
  readonly status: number;
}

/** How spans of calls that came in by a route are described. */
export function httpShape({ method, route, status }: RouteShape): SpanShape {
  return {
    kind: "server",
    attributes: (error) => ({
      "http.request.method": method,
      "http.route": route,
      "http.response.status_code": error?.http ?? status,
    }),
  };
}

function serveUnary(endpoint: Endpoint, exchange: Exchange): void {
  const { request, reply, door } = exchange;
  let opened: CallContext | undefined;
  let init: CallInit;
  try {
    init = initOf(exchange, (call) => {
      opened = call;
      abortOnClose(call, reply);
    });
  } catch (error) {
    sendError(reply, error, { log: door.log });
    return;
  }
  endpoint.invoke(bodyOf(request), init).then(
    (answer) => {
      try {
        sendAnswer(reply, answer, tracedCall(init, opened));
      } catch (error) {
        // Another library's schema let through what JSON cannot say.
        sendError(reply, error, { log: door.log, call: opened });
      }
    },
    (error: unknown) => sendError(reply, error, { log: door.log, call: opened }),
  );
}

function serveStream(endpoint: Endpoint, exchange: Exchange): void {
  const { request, reply, door } = exchange;
  let opened: CallContext | undefined;
  try {
    const init = initOf(exchange, (call) => {
      opened = call;
      abortOnClose(call, reply);
    });
    const frames = endpoint.invokeStream(bodyOf(request), init);
    sendStream(reply, frames, { clock: door.clock, traced: () => opened }).catch((error: unknown) =>
      sendError(reply, error, { log: door.log, call: opened }),
    );
  } catch (error) {
    sendError(reply, error, { log: door.log });
  }
}

/** No body is an empty object; a body of `null` is not. */
function bodyOf({ body }: FastifyRequest): unknown {
  return body === undefined ? {} : body;
}

/** Only who sent a trace is told which span its call became: making one costs. */
function tracedCall(init: CallInit, call: CallContext | undefined): CallContext | undefined {
  return init.trace === undefined ? undefined : call;
}

/** A caller that hangs up ends its call; a complete response closes as well, to no effect. */
export function abortOnClose(call: CallContext, reply: FastifyReply): void {
  const abort = (): void => {
    if (call.ended) return;
    call.abort(kernelErrors.CALL_CANCELLED("The client closed the connection."));
  };
  // It may have gone while its credential was looked at: then nothing closes any more.
  if (reply.raw.destroyed) abort();
  else reply.raw.once("close", abort);
}

/** What the headers say about the call. */
export function initOf(
  { operation, request, door, principal, shape }: Omit<Exchange, "reply">,
  onOpen: (call: CallContext) => void,
): CallInit {
  door.assertOpen(operation);
  const { headers } = request;
  const { traceparent } = headers;
  const timeout = headers["banyan-timeout-ms"];
  return {
    mode: "strict",
    principal,
    caller: undefined,
    parent: undefined,
    timeoutMs: timeout === undefined ? undefined : timeoutOf(timeout),
    signal: undefined,
    trace: traceparent === undefined ? undefined : door.traceOf(headers),
    idempotencyKey: headerOf(headers["idempotency-key"]),
    shape,
    onOpen,
  };
}

function timeoutOf(header: string | string[]): number {
  const text = headerOf(header) ?? "";
  const timeoutMs = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (timeoutMs >= 1 && timeoutMs <= 3_600_000) return timeoutMs;
  throw hostErrors.HTTP_REQUEST_MALFORMED(
    "The header banyan-timeout-ms must be an integer of 1 to 3600000, in milliseconds.",
  );
}

function headerOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
