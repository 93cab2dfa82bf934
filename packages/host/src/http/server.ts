/**
 * The HTTP surface of a node: one route per operation, and the node's own pages.
 *
 * What it owns: one Fastify instance and its listening socket. Fastify does the protocol (bodies,
 * limits, keep-alive, closing); its validator and serializer stay out of it, because the pipeline
 * is the one place where requests are judged.
 *
 * I1. Every answer that is an error is problem details; no stack and no cause ever leaves.
 * I2. Nothing runs for a request that the guard refuses, and no body is read for a path or method
 *     that is not served.
 * I3. `close` ends, whatever clients do: who is still connected after a moment is cut off.
 */

import type { AddressInfo } from "node:net";
import { Server as TlsServer } from "node:tls";
import Fastify from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest, onResponseHookHandler } from "fastify";
import type { OperationRunner } from "@banyan/kernel/internal";
import { hostErrors } from "../errors.ts";
import type { NodeConfig } from "../node-config.ts";
import { within } from "../within.ts";
import { parseJsonBody } from "./body.ts";
import { answerBrokenRequest } from "./broken-request.ts";
import type { HttpDoor } from "./door.ts";
import { addForwarding, refuseInFleet } from "./forward-route.ts";
import type { Elsewhere, ForwardOptions, Refusal } from "./forward-route.ts";
import { createGuard } from "./guard.ts";
import type { HttpObserver } from "./http-metrics.ts";
import type { Guard } from "./guard.ts";
import { notFoundError } from "./not-found.ts";
import type { RawPath } from "./not-found.ts";
import { operationRoute, pathOf } from "./operation-route.ts";
import { methodsOf, rawRoute } from "./raw-route.ts";
import { sendError } from "./reply.ts";
import { requestErrorOf } from "./request-error.ts";
import type { TlsFiles } from "./tls.ts";

/** A page of the node itself. */
export interface Page {
  readonly path: string;
  /** Answers status, media type and body. */
  readonly render: (request: FastifyRequest) => PageAnswer | Promise<PageAnswer>;
}

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpServerOptions {
  readonly config: NodeConfig["http"];
  readonly runners: readonly OperationRunner[];
  readonly pages: readonly Page[];
  readonly door: HttpDoor;
  readonly tls: TlsFiles | undefined;
  /** What other nodes run; left out: this node is alone. */
  readonly elsewhere?: Elsewhere | undefined;
  /** Told of every answer that was sent whole. */
  readonly onResponse?: HttpObserver | undefined;
}

export interface HttpServer {
  /** Listens; the URL under which this machine reaches it. */
  listen(): Promise<string>;
  /** Stops listening and closes idle connections; resolves when the last answer is out. */
  close(): Promise<void>;
}

/** How long a client may take to fetch the rest of its answer when the server closes. */
const lingerMs = 1000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, tls, door } = options;
  const app = createApp(options);
  addGuard(app, createGuard(config), door);
  const { onResponse } = options;
  if (onResponse !== undefined) {
    const observe = onResponse("");
    app.addHook("onResponse", (request, reply, done) => {
      if (request.is404) observe(request, reply);
      done();
    });
  }
  const forward = forwardOf(options);
  const refuse = refusalOf(options, forward);
  app.addHook("onRequest", (request, reply, done) => {
    if (request.is404) refuse(request, reply);
    else done();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    (_request: FastifyRequest, body: Buffer, done) => {
      try {
        done(null, parseJsonBody(body));
      } catch (error) {
        // parseJsonBody throws nothing but errors.
        done(error as Error);
      }
    },
  );
  app.setErrorHandler((error: unknown, request, reply) => {
    answerRefusal(error, { request, reply }, options);
  });
  addRoutes(app, options);
  if (forward !== undefined) addForwarding(app, refuse, forward);
  return {
    async listen() {
      await app.listen({ host: config.host, port: config.port }).catch((cause: unknown) => {
        throw listenError(config, cause);
      });
      tls?.watch((context) => {
        if (app.server instanceof TlsServer) app.server.setSecureContext(context);
      });
      return urlOf(app, config.host, tls !== undefined);
    },
    async close() {
      tls?.close();
      const closed = app.close();
      const { kind } = await within({ clock: door.clock, limitMs: lingerMs }, closed);
      if (kind === "late") app.server.closeAllConnections();
      await closed;
    },
  };
}

function createApp(server: HttpServerOptions): FastifyInstance {
  const { config, tls } = server;
  const options = {
    logger: false,
    bodyLimit: config.bodyBytesMax,
    requestTimeout: config.receiveTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    routerOptions: { maxParamLength: 512 },
    exposeHeadRoutes: false,
    // Calls in flight are the pipeline's to finish; the socket layer only drops idle connections.
    forceCloseConnections: "idle",
    // Handed in so that Fastify never loads its own: some hundred modules that nothing would use.
    schemaController: { compilersFactory: { buildValidator: unused, buildSerializer: unused } },
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    // What the router refuses comes past the hooks and the error handler.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      answerRefusal(error, { request, reply }, server),
  } as const;
  const serverOptions = {
    maxHeaderSize: config.headerBytesMax,
    // Ours answers with problem details; Node's own would be a bare status line.
    requireHostHeader: false,
    connectionsCheckingInterval: Math.max(50, Math.min(config.receiveTimeoutMs / 4, 5000)),
  };
  const app: FastifyInstance =
    tls === undefined
      ? Fastify({ ...options, http: serverOptions })
      : Fastify({ ...options, https: { ...serverOptions, ...tls.current() } });
  app.server.maxConnections = config.connectionsMax;
  app.server.headersTimeout = config.receiveTimeoutMs;
  return app;
}

function addGuard(app: FastifyInstance, guard: Guard, door: HttpDoor): void {
  app.addHook("onRequest", (request, reply, done) => {
    const { host, origin } = request.headers;
    try {
      guard.check({ host, origin });
    } catch (error) {
      sendError(reply, error, door);
      return;
    }
    if (origin !== undefined && guard.isAllowedOrigin(origin)) {
      reply
        .header("access-control-allow-origin", origin)
        .header("access-control-expose-headers", "retry-after, traceparent")
        .header("vary", "origin");
      if (request.method === "OPTIONS") {
        reply
          .code(204)
          .header("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE")
          .header(
            "access-control-allow-headers",
            "authorization, banyan-timeout-ms, content-type, idempotency-key, traceparent, tracestate",
          )
          .header("access-control-max-age", "600")
          .send();
        return;
      }
    }
    done();
  });
}

function addRoutes(
  app: FastifyInstance,
  { config, runners, pages, door, onResponse }: HttpServerOptions,
): void {
  for (const runner of runners) {
    const bodyLimit = runner.operation.spec.payloadBytesMax ?? config.bodyBytesMax;
    if (runner.kind === "raw") addRawRoute(app, { runner, door, bodyLimit, onResponse });
    else {
      const handler = operationRoute(runner, door);
      const url = pathOf(runner);
      app.route({ method: "POST", url, bodyLimit, handler, ...watched(url, onResponse) });
    }
  }
  for (const page of pages) {
    app.route({
      method: ["GET", "HEAD"],
      url: page.path,
      ...watched(page.path, onResponse),
      handler: async (request, reply) => {
        const { status, headers, body } = await page.render(request);
        return reply.code(status).headers(headers).send(body);
      },
    });
  }
}

/** The hook of a route that tells how long its answers took. */
function watched(
  route: string,
  onResponse: HttpObserver | undefined,
): { onResponse?: onResponseHookHandler } {
  if (onResponse === undefined) return {};
  const observe = onResponse(route);
  return {
    onResponse: (request, reply, done) => {
      observe(request, reply);
      done();
    },
  };
}

interface RawRoute extends Pick<HttpServerOptions, "door" | "onResponse"> {
  readonly runner: OperationRunner;
  readonly bodyLimit: number;
}

/** Raw routes take any media type, as bytes: their own context, so JSON routes stay strict. */
function addRawRoute(
  app: FastifyInstance,
  { runner, door, bodyLimit, onResponse }: RawRoute,
): void {
  const { http } = runner.operation.spec;
  if (http === undefined) return;
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer" },
      (_request: FastifyRequest, body: Buffer, finished) => finished(null, body),
    );
    scope.route({
      method: [...methodsOf(http)],
      url: http.path,
      ...watched(http.path, onResponse),
      bodyLimit,
      handler: rawRoute(runner, door),
    });
    done();
  });
}

/** How what other nodes run is passed on; `undefined`: this node is alone. */
function forwardOf(options: HttpServerOptions): ForwardOptions | undefined {
  const { config, runners, door, elsewhere } = options;
  if (elsewhere === undefined) return undefined;
  const own = new Set(runners.map(({ service }) => service));
  const isOurs = (service: string): boolean => own.has(service);
  return { elsewhere, door, isOurs, bodyBytesMax: config.bodyBytesMax };
}

/** Answers what nobody serves, before its body is read. */
function refusalOf(
  { runners, pages, door }: HttpServerOptions,
  forward: ForwardOptions | undefined,
): Refusal {
  const table = { ...routeTable(runners, pages), isFleet: forward !== undefined };
  return (request, reply) => {
    const { error, allow } = notFoundError(request.method, request.raw.url ?? "/", table);
    const refuse = (): void => {
      if (allow !== undefined) reply.header("allow", allow);
      sendError(reply, error, door);
    };
    if (forward === undefined || allow !== undefined) refuse();
    else refuseInFleet([request, reply], refuse, forward);
  };
}

function routeTable(runners: readonly OperationRunner[], pages: readonly Page[]) {
  const operations = new Map<string, string[]>();
  const methods = new Map<string, readonly string[]>(
    pages.map(({ path }) => [path, ["GET", "HEAD"]]),
  );
  const raw: RawPath[] = [];
  for (const runner of runners) {
    const known = operations.get(runner.service) ?? [];
    operations.set(runner.service, known);
    const { http } = runner.operation.spec;
    if (http === undefined) {
      const path = pathOf(runner);
      known.push(path);
      methods.set(path, ["POST"]);
    } else raw.push({ path: http.path, methods: methodsOf(http) });
  }
  return { operations, methods, raw };
}

/** Answers what Fastify refused or failed with. */
function answerRefusal(
  error: unknown,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  { config, door }: HttpServerOptions,
): void {
  const refusal = requestErrorOf(error, {
    bodyLimit: request.routeOptions.bodyLimit ?? config.bodyBytesMax,
    mediaType: request.headers["content-type"],
  });
  if (refusal.code === "INTERNAL") door.log.error("HTTP request failed", { error });
  sendError(reply, refusal, door);
}

function listenError({ host, port }: NodeConfig["http"], cause: unknown): Error {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : "";
  const why =
    code === "EADDRINUSE"
      ? "the port is taken; stop who holds it, or set http.port (0 takes a free one)."
      : code === "EACCES"
        ? "this user may not listen there; set http.port to 1024 or above."
        : `${cause instanceof Error ? cause.message : String(cause)}; see http.host and http.port.`;
  return hostErrors.NODE_START_FAILED(`HTTP cannot listen on ${host}, port ${port}: ${why}`, {
    cause,
  });
}

function urlOf(app: FastifyInstance, host: string, secure: boolean): string {
  // An open server that listens on TCP has an address object.
  const { port } = app.server.address() as AddressInfo;
  const wildcard = host === "0.0.0.0" || host === "::";
  const name = wildcard || host === "127.0.0.1" ? "localhost" : host;
  return `${secure ? "https" : "http"}://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** No route hands Fastify a schema, so it never asks for a compiler. */
function unused(): never {
  throw new Error("A route was given a Fastify schema; requests are judged by the pipeline alone.");
}
