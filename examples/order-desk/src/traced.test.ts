/**
 * One order, as a receiver of OTLP sees it: a process of its own that decodes what it gets by the
 * published schema. And each setting of the export with its effect there.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { nodeContract, openNode } from "@banyan/host";
import type { Node } from "@banyan/host";
import { createTestCertificates, spawnNode, until } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import catalogueService from "./catalogue.service.ts";
import { catalogue } from "./catalogue.contract.ts";
import { orders } from "./orders.contract.ts";
import ordersService from "./orders.service.ts";
import stockService from "./stock.service.ts";
import { stock } from "./stock.contract.ts";

const receiver = new URL(
  "../../../packages/telemetry/src/otlp/otlp-receiver.test.ts",
  import.meta.url,
);

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly Attribute[];
}

interface Received {
  readonly protocol: string;
  readonly signal: "traces" | "metrics";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly request: {
    readonly resourceSpans?: readonly {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
    }[];
    readonly resourceMetrics?: readonly unknown[];
  };
}

async function openReceiver(options: object = {}): Promise<{
  readonly child: Child;
  readonly ports: { readonly http: number; readonly grpc: number };
}> {
  const child = spawnNode(receiver, [JSON.stringify(options)]);
  const { match } = await child.waitForLine(/^ready (.*)$/, { timeoutMs: 30_000 });
  return { child, ports: JSON.parse(match[1] ?? "{}") };
}

const prefix = "received ";

function received({ lines }: Child): Received[] {
  return lines.flatMap(({ text }): Received[] =>
    text.startsWith(prefix) ? [JSON.parse(text.slice(prefix.length))] : [],
  );
}

const spansOf = (child: Child): Span[] =>
  received(child).flatMap(({ request }) =>
    (request.resourceSpans ?? []).flatMap(({ scopeSpans }) => scopeSpans.flatMap((s) => s.spans)),
  );

function attributesOf(list: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}

type Settings = Readonly<Record<string, unknown>>;

function openDesk(settings: Settings): Promise<Node> {
  const all = { "/http/enabled": false, "/telemetry/otlp/intervalMs": 20, ...settings };
  return openNode({
    services: [catalogueService, stockService, ordersService],
    inMemory: true,
    version: "1.2.3",
    config: {
      flags: Object.entries(all).map(([pointer, value]) => ({ pointer, value, flag: "test" })),
    },
  });
}

async function order(node: Node): Promise<void> {
  await node.client(catalogue).put({ id: "pen", name: "Pen", priceCents: 100 });
  await node.client(stock).receive({ item: "pen", count: 5 });
  await node.client(orders).place({ item: "pen", count: 1 });
}

/** The trace of the order, once its last handler's span has come. */
function orderTrace(child: Child): Promise<Span[]> {
  return until(
    () => {
      const spans = spansOf(child);
      const root = spans.find(({ name }) => name === "orders.place");
      const trace = spans.filter(({ traceId }) => traceId === root?.traceId);
      return trace.some(({ name }) => name === "orders.reserved") ? trace : false;
    },
    { what: "The trace of an order", timeoutMs: 30_000 },
  );
}

const expected = [
  "orders.place < -",
  "catalogue.get < orders.place",
  "get catalogue.items < catalogue.get",
  "transaction orders < orders.place",
  "orders.placed < orders.place",
  "stock.reserve < orders.placed",
  "transaction stock < stock.reserve",
  "orders.reserved < stock.reserve",
  "transaction orders < orders.reserved",
].toSorted();

describe("A receiver of OTLP", () => {
  for (const protocol of ["http/protobuf", "http/json", "grpc"] as const) {
    test(`sees the spans of an order in one tree, by ${protocol}`, async () => {
      const { child, ports } = await openReceiver();
      await using _receiver = child;
      const port = protocol === "grpc" ? ports.grpc : ports.http;
      await using node = await openDesk({
        "/telemetry/otlp/endpoint": `http://localhost:${port}`,
        "/telemetry/otlp/protocol": protocol,
      });
      await order(node);
      const trace = await orderTrace(child);
      const nameOf = new Map(trace.map(({ spanId, name }) => [spanId, name]));
      const tree = trace.map(
        ({ name, parentSpanId = "" }) => `${name} < ${nameOf.get(parentSpanId) ?? "-"}`,
      );
      assert.deepEqual(tree.toSorted(), expected);
      assert.equal(received(child)[0]?.protocol, protocol);
      const status = await until(
        async () => {
          const { exporter } = await node.client(nodeContract).telemetry.status({});
          return exporter?.state === "ok" ? exporter : false;
        },
        { what: "An exporter that is well" },
      );
      assert.ok(status.sentSpans >= expected.length);
      assert.equal(status.protocol, protocol);
    });
  }
});

describe("The setting", () => {
  let certificates: Awaited<ReturnType<typeof createTestCertificates>>;
  before(async () => {
    certificates = await createTestCertificates();
  });

  test("telemetry.serviceName, serviceNamespace, environment name the sender", async () => {
    const { child, ports } = await openReceiver();
    await using _receiver = child;
    await using node = await openDesk({
      "/telemetry/serviceName": "desk",
      "/telemetry/serviceNamespace": "shops",
      "/telemetry/environment": "staging",
      "/node/id": "desk-1",
      "/telemetry/otlp/endpoint": `http://localhost:${ports.http}`,
    });
    await order(node);
    await orderTrace(child);
    const [first] = received(child)[0]?.request.resourceSpans ?? [];
    assert.partialDeepStrictEqual(attributesOf(first?.resource.attributes ?? []), {
      "service.name": "desk",
      "service.namespace": "shops",
      "service.version": "1.2.3",
      "service.instance.id": "desk-1",
      "deployment.environment.name": "staging",
    });
  });

  test("telemetry.otlp.headers, compression, metricsIntervalMs are on every request", async () => {
    const { child, ports } = await openReceiver();
    await using _receiver = child;
    await using node = await openDesk({
      "/telemetry/otlp/endpoint": `http://localhost:${ports.http}`,
      "/telemetry/otlp/headers": { "x-key": "hunter2" },
      "/telemetry/otlp/compression": "gzip",
      "/telemetry/otlp/metricsIntervalMs": 50,
    });
    await order(node);
    await orderTrace(child);
    const metrics = await until(
      () => received(child).find(({ signal }) => signal === "metrics") ?? false,
      { what: "Metrics" },
    );
    assert.match(JSON.stringify(metrics.request), /rpc_server_duration_seconds/);
    for (const { headers } of received(child)) {
      assert.equal(headers["x-key"], "hunter2");
      assert.equal(headers["content-encoding"], "gzip");
    }
    const rows = await node.client(nodeContract).config({});
    assert.doesNotMatch(JSON.stringify(rows), /hunter2/);
  });

  test("telemetry.otlp.metricsIntervalMs 0 sends none; queueMax bounds what waits", async () => {
    const { child, ports } = await openReceiver();
    await using _receiver = child;
    await using node = await openDesk({
      "/telemetry/otlp/endpoint": `http://localhost:${ports.http}`,
      "/telemetry/otlp/metricsIntervalMs": 0,
      "/telemetry/otlp/queueMax": 1,
      "/telemetry/otlp/intervalMs": 60_000,
    });
    await order(node);
    const { exporter } = await node.client(nodeContract).telemetry.status({});
    assert.ok((exporter?.droppedSpans ?? 0) > 0 && (exporter?.queuedSpans ?? 0) <= 1);
    await node.close();
    assert.ok(received(child).every(({ signal }) => signal === "traces"));
  });

  test("telemetry.otlp.caFile lets in whom it signed, and nobody else", async () => {
    const { ca, server, foreignCa } = certificates;
    const tls = { certificate: server.certificate, key: server.key };
    const { child, ports } = await openReceiver({ tls });
    await using _receiver = child;
    const endpoint = `https://localhost:${ports.http}`;
    await using good = await openDesk({
      "/telemetry/otlp/endpoint": endpoint,
      "/telemetry/otlp/caFile": ca,
    });
    await order(good);
    await orderTrace(child);
    await using bad = await openDesk({
      "/telemetry/otlp/endpoint": endpoint,
      "/telemetry/otlp/caFile": foreignCa,
    });
    await order(bad);
    const status = await until(
      async () => {
        const { exporter } = await bad.client(nodeContract).telemetry.status({});
        return exporter?.state === "failing" ? exporter : false;
      },
      { what: "An exporter that says that it fails", timeoutMs: 30_000 },
    );
    assert.match(status.lastError ?? "", /certificate|self.signed/i);
    await assert.rejects(
      openDesk({ "/telemetry/otlp/endpoint": endpoint, "/telemetry/otlp/caFile": "/nowhere.pem" }),
      { code: "NODE_START_FAILED", message: /telemetry\.otlp\.caFile \/nowhere\.pem/ },
    );
  });

  test("telemetry.otlp.endpoint that is no URL is refused at the start, by name", async () => {
    await assert.rejects(openDesk({ "/telemetry/otlp/endpoint": "nonsense" }), /endpoint/);
  });
});
