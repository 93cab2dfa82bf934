/** The HTTP surface of a node: its door, its pages and its server, wired to the node. */

import type { Clock, Log, Principal } from "@banyan/kernel";
import { anonymous, operator } from "@banyan/kernel/internal";
import type { CallRuntime } from "@banyan/kernel/internal";
import { parseTraceparent } from "@banyan/telemetry";
import type { Metrics } from "@banyan/telemetry";
import { openApiDocument } from "./describe/openapi.ts";
import { operationsElsewhere } from "./elsewhere.ts";
import type { HttpDoor } from "./http/door.ts";
import { createHttpServer } from "./http/server.ts";
import { createHttpObserver } from "./http/http-metrics.ts";
import type { TlsFileNames, TlsFiles } from "./http/tls.ts";
import type { Page, PageAnswer } from "./http/server.ts";
import { probeReadiness } from "./health.ts";
import type { Readiness } from "./health.ts";
import type { NodeConfig } from "./node-config.ts";
import type { NodeView } from "./node-view.ts";

export interface OpenHttpOptions {
  readonly runtime: CallRuntime;
  readonly log: Log;
  /** @throws NODE_STARTING, NODE_DRAINING */
  readonly assertOpen: (operation: string) => void;
  readonly disposables: AsyncDisposableStack;
}

/** Listens. Closing is left on the stack of disposables. */
export async function openHttp(
  node: NodeView,
  { runtime, log, assertOpen, disposables }: OpenHttpOptions,
): Promise<{ readonly url: string }> {
  const { http } = node.setup.config;
  const { clock } = runtime;
  const { metrics } = node.telemetry;
  const tls = http.tls === undefined ? undefined : await openTls(http.tls, { clock, log });
  const server = createHttpServer({
    config: http,
    runners: node.instances.flatMap(({ runners }) => runners),
    pages: pagesOf(node),
    door: createDoor({ runtime, log, assertOpen, stranger: strangerOf(http) }),
    tls,
    elsewhere: node.joined && operationsElsewhere(node.joined.fleet, clock),
    onResponse: metrics === undefined ? undefined : createHttpObserver(metrics),
  });
  disposables.defer(() => server.close());
  return { url: await server.listen() };
}

/** Loaded where there are certificates. */
async function openTls(files: TlsFileNames, ports: { clock: Clock; log: Log }): Promise<TlsFiles> {
  const { openTlsFiles } = await import("./http/tls.ts");
  return openTlsFiles(files, { ...ports, section: "http.tls" });
}

/** Who shows no credential. This door alone makes an operator of them, not those behind it. */
function strangerOf({ authentication }: NodeConfig["http"]): Principal {
  return authentication === "off" ? operator : anonymous;
}

interface DoorOptions extends Omit<OpenHttpOptions, "disposables"> {
  readonly stranger: Principal;
}

function createDoor({ runtime, log, assertOpen, stranger }: DoorOptions): HttpDoor {
  const { authenticator } = runtime;
  const clock: Clock = runtime.clock;
  return {
    clock,
    log,
    assertOpen,
    principalOf(authorization): Principal | Promise<Principal> {
      if (authorization === undefined || authenticator === undefined) return stranger;
      return authenticator.authenticate({ authorization });
    },
    traceOf: ({ traceparent, tracestate }) =>
      parseTraceparent(textOf(traceparent), textOf(tracestate)),
  };
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}

function pagesOf(node: NodeView): Page[] {
  let openApi: string | undefined;
  let probing: Promise<Readiness> | undefined;
  const contracts = (): Parameters<typeof openApiDocument>[0] =>
    node.instances.map(({ contract }) => contract);
  const { metrics } = node.telemetry;
  return [
    { path: "/", render: () => ({ status: 302, headers: { location: "/docs" }, body: "" }) },
    { path: "/healthz", render: () => json(200, { status: "ok", phase: node.phase }) },
    {
      path: "/readyz",
      async render() {
        // Anybody may ask, as often as they like: those who ask together share one probe.
        probing ??= probeReadiness(node).finally(() => (probing = undefined));
        const readiness = await probing;
        return json(readiness.status === "not ready" ? 503 : 200, readiness);
      },
    },
    ...(metrics === undefined ? [] : [metricsPage(metrics)]),
    {
      path: "/openapi.json",
      render() {
        openApi ??= JSON.stringify(openApiDocument(contracts(), { version: node.version }));
        return {
          status: 200,
          headers: { "content-type": "application/json; charset=utf-8" },
          body: openApi,
        };
      },
    },
    {
      path: "/docs",
      // Loaded when somebody reads it: a start needs no page.
      render: async () => (await import("./http/docs-page.ts")).docsPage(),
    },
  ];
}

function metricsPage(metrics: Metrics): Page {
  return {
    path: "/metrics",
    async render(request) {
      const { contentType, body } = await metrics.respond(request.headers.accept);
      return { status: 200, headers: { "content-type": contentType }, body };
    },
  };
}

function json(status: number, body: unknown): PageAnswer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
    body: JSON.stringify(body),
  };
}
