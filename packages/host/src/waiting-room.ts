/**
 * What the port answers while a node waits for an engine's server: alive, not ready, and why. It is
 * opened by the first wait, so a start without one pays nothing, and makes way for the node's own
 * server, which has the operations; between the two the port is closed for a moment.
 *
 * What it owns: one listening server, from `open` to `close`.
 * What may interrupt it: `close`, also while it begins to listen; a port that is taken, which is
 * left for the node's own server to tell.
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Clock, Log } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import { hostErrors } from "./errors.ts";
import type { Readiness } from "./health.ts";
import { createGuard } from "./http/guard.ts";
import type { Guard } from "./http/guard.ts";
import { problemHeaders, problemOf } from "./http/problem.ts";
import type { NodeConfig } from "./node-config.ts";

export interface WaitingRoomOptions {
  readonly config: NodeConfig["http"];
  readonly clock: Clock;
  readonly log: Log;
  readonly readiness: () => Promise<Readiness>;
}

export interface WaitingRoom extends AsyncDisposable {
  /** Begins to listen, where HTTP is on and its port is known beforehand; idempotent. */
  open(): void;
  /** Resolves when the port is free. */
  close(): Promise<void>;
}

export function createWaitingRoom(options: WaitingRoomOptions): WaitingRoom {
  const { config, log } = options;
  let opening: Promise<Server | undefined> | undefined;
  let isClosed = false;
  const close = async (): Promise<void> => {
    isClosed = true;
    const server = await opening;
    if (server?.listening !== true) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    open() {
      // Nobody could know a port that the system has yet to choose.
      if (isClosed || !config.enabled || config.port === 0) return;
      opening ??= listen(options).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn("the port answers nothing while the node waits", { reason });
        return undefined;
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(options: WaitingRoomOptions): Promise<Server> {
  const { config } = options;
  const guard = createGuard(config);
  const limits = {
    maxHeaderSize: config.headerBytesMax,
    requestTimeout: config.receiveTimeoutMs,
    headersTimeout: config.receiveTimeoutMs,
    requireHostHeader: false,
  };
  const answer: RequestListener = (request, response) => {
    void answerOf(request, { guard, readiness: options.readiness })
      .catch(refusalOf)
      .then((given) => send(response, given));
  };
  const server =
    config.tls === undefined
      ? createServer(limits, answer)
      : createTlsServer({ ...limits, ...(await pairOf(config.tls, options)) }, answer);
  server.maxConnections = config.connectionsMax;
  server.listen({ host: config.host, port: config.port });
  await once(server, "listening");
  return server;
}

async function pairOf(files: NonNullable<NodeConfig["http"]["tls"]>, ports: WaitingRoomOptions) {
  const { openTlsFiles } = await import("./http/tls.ts");
  const tls = await openTlsFiles(files, { ...ports, section: "http.tls" });
  tls.close();
  return tls.current();
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

async function answerOf(
  { url = "/", headers: { host, origin } }: IncomingMessage,
  { guard, readiness }: { readonly guard: Guard } & Pick<WaitingRoomOptions, "readiness">,
): Promise<Answer> {
  guard.check({ host, origin });
  const [path] = url.split("?");
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  };
  if (path === "/healthz")
    return { status: 200, headers, body: { status: "ok", phase: "starting" } };
  if (path === "/readyz") return { status: 503, headers, body: await readiness() };
  throw hostErrors.NODE_STARTING(
    "The node waits for what it keeps its state in; try again later.",
    {
      retryAfterMs: 1000,
    },
  );
}

function refusalOf(thrown: unknown): Answer {
  const error = toBanyanError(thrown);
  return { status: error.http, headers: problemHeaders(error), body: problemOf(error) };
}

/** Each connection has one answer: none is left when the node's own server takes over. */
function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, connection: "close" }).end(JSON.stringify(body));
}
