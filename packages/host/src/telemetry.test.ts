import assert from "node:assert/strict";
import { setTimeout as realSleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { currentCall, defineContract, defineService, on, t } from "@banyan/kernel";
import { createRecordingLog, freePort, spawnNode } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import type { NodeOptions } from "./options.ts";
import { eventually, flagsOf, post, request } from "./sample-node.test.ts";

const counted = t.Object({ n: t.Integer() });

const stock = defineContract("stock", {
  summary: "Keeps pieces.",
  version: "1.0.0",
  layer: "L2",
  stores: { pieces: { durability: "durable", value: counted, capabilities: ["transaction"] } },
  operations: {
    take: { summary: "Take one.", request: t.Object({ item: t.String() }), response: counted },
  },
});

const shop = defineContract("shop", {
  summary: "Sells.",
  version: "1.0.0",
  uses: { stock },
  events: { sold: t.Object({ item: t.String() }) },
  operations: {
    buy: {
      summary: "Buy one.",
      access: "anonymous",
      request: t.Object({ item: t.String(), waitMs: t.Optional(t.Integer()) }),
      response: counted,
    },
    crash: { summary: "Fail.", access: "anonymous" },
  },
});

const mail = defineContract("mail", {
  summary: "Writes.",
  version: "1.0.0",
  stores: { sent: { durability: "ephemeral", value: counted } },
  subscriptions: { onSold: on(shop, "sold") },
});

const stockService = defineService(stock, ({ transaction }) => ({
  operations: {
    take: ({ item }) =>
      transaction((tx) => tx.stores.pieces.update(item, (now) => ({ n: (now?.n ?? 0) + 1 }))),
  },
}));

const shopService = defineService(shop, ({ clients, publish, span }) => ({
  operations: {
    async buy({ item, waitMs = 0 }) {
      await span("think it over", () => realSleep(waitMs));
      const taken = await clients.stock.take({ item });
      await publish("sold", { item });
      return taken;
    },
    crash() {
      throw new Error("the password is hunter2");
    },
  },
}));

const mailService = defineService(mail, ({ stores }) => ({
  subscriptions: {
    async onSold({ item }) {
      await stores.sent.update(item, (now) => ({ n: (now?.n ?? 0) + 1 }));
    },
  },
}));

/** A program that sends large things through a node that keeps every trace. */
const heavy = new URL("../fixtures/heavy-node.ts", import.meta.url);

type Settings = Readonly<Record<string, unknown>>;

function openShop(settings: Settings = {}, options: Partial<NodeOptions> = {}): Promise<Node> {
  return openNode({
    services: [stockService, shopService, mailService],
    inMemory: true,
    log: createRecordingLog(),
    ...options,
    config: { flags: flagsOf(settings) },
  });
}

const buy = (node: Node, fields = "", headers: Record<string, string> = {}) =>
  post([node.url ?? "", "/shop/buy"], `{"item":"pen"${fields}}`, headers);

async function tracesOf(node: Node, query: Settings = {}) {
  return (await node.client(nodeContract).traces.list({ ...query, limit: 1000 })).traces;
}

async function spansOf(node: Node, traceId: string) {
  return (await node.client(nodeContract).traces.show({ traceId })).spans;
}

const parent = (flags: string): { traceparent: string } => ({
  traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-${flags}`,
});

describe("A trace", () => {
  test("is one tree: request, calls, work, transaction, event, handler, store", async () => {
    await using node = await openShop();
    const sent = await buy(node, "", parent("01"));
    assert.match(sent.headers.get("traceparent") ?? "", new RegExp(`^00-${"a".repeat(32)}-`));
    const traceId = "a".repeat(32);
    let spans = await spansOf(node, traceId);
    for (let tries = 0; tries < 500 && spans.length < 7; tries += 1) {
      await realSleep(5);
      spans = await spansOf(node, traceId);
    }
    const nameOf = new Map(spans.map(({ spanId, name }) => [spanId, name]));
    const tree = spans.map(({ name, kind, service, parentSpanId = "" }) =>
      [name, kind, service, nameOf.get(parentSpanId) ?? parentSpanId].join(" | "),
    );
    assert.deepEqual(tree.toSorted(), [
      "mail.onSold | consumer | mail | publish shop.sold",
      "publish shop.sold | producer | shop | shop.buy",
      `shop.buy | server | shop | ${"b".repeat(16)}`,
      "stock.take | internal | stock | shop.buy",
      "think it over | internal | shop | shop.buy",
      "transaction stock | client | stock | stock.take",
      "update mail.sent | client | mail | mail.onSold",
    ]);
    const attributes = Object.fromEntries(spans.map((span) => [span.name, span.attributes]));
    assert.partialDeepStrictEqual(attributes["shop.buy"], {
      "http.request.method": "POST",
      "http.route": "/shop/buy",
      "http.response.status_code": 200,
    });
    assert.partialDeepStrictEqual(attributes["mail.onSold"], {
      "messaging.destination.name": "shop.sold",
      "banyan.delivery.attempt": 1,
    });
    assert.partialDeepStrictEqual(attributes["update mail.sent"], {
      "db.system.name": "memory",
      "db.operation.name": "update",
    });
  });

  test("names the line that asked, of calls, of work and of stores", async () => {
    await using node = await openShop();
    await buy(node);
    const [trace] = await tracesOf(node, { name: "shop.buy" });
    const spans = await spansOf(node, trace?.traceId ?? "");
    for (const name of ["stock.take", "think it over", "transaction stock", "publish shop.sold"]) {
      const site = spans.find((span) => span.name === name)?.site;
      assert.equal(site?.file, import.meta.filename, name);
    }
  });

  test("holds no cause, and says what the caller was told", async () => {
    await using node = await openShop();
    await post([node.url ?? "", "/shop/crash"]);
    const [trace] = await tracesOf(node, { failed: true });
    const spans = await spansOf(node, trace?.traceId ?? "");
    assert.equal(spans[0]?.error?.code, "INTERNAL");
    assert.doesNotMatch(JSON.stringify(spans), /hunter2/);
  });

  test("goes on in work that a handler starts and does not wait for", async () => {
    const gate = Promise.withResolvers<void>();
    const late = defineContract("late", {
      summary: "Works on.",
      version: "1.0.0",
      stores: { notes: { durability: "ephemeral", value: counted } },
      operations: { begin: { summary: "Begin.", access: "anonymous" } },
    });
    const service = defineService(late, ({ stores }) => ({
      operations: {
        begin() {
          void gate.promise.then(() => stores.notes.set("a", { n: 1 }));
        },
      },
    }));
    await using node = await openShop({}, { services: [service] });
    await post([node.url ?? "", "/late/begin"]);
    gate.resolve();
    await eventually(() => gate.promise !== undefined);
    let spans = await spansOf(node, (await tracesOf(node))[0]?.traceId ?? "");
    for (let tries = 0; tries < 200 && spans.length < 2; tries += 1) {
      await realSleep(5);
      spans = await spansOf(node, (await tracesOf(node))[0]?.traceId ?? "");
    }
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["late.begin", "set late.notes"],
    );
    assert.equal(spans[1]?.parentSpanId, spans[0]?.spanId);
  });

  test("begins in background work with a span, and events of it go on from there", async () => {
    const told = defineContract("clock", {
      summary: "Ticks.",
      version: "1.0.0",
      events: { ticked: t.Object({}) },
    });
    const heard = defineContract("ear", {
      summary: "Hears.",
      version: "1.0.0",
      subscriptions: { onTicked: on(told, "ticked") },
    });
    const traceIds: (string | undefined)[] = [];
    const ticking = defineService(told, ({ publish, span }) => ({
      async run(signal) {
        await span("tick", async () => {
          traceIds.push(currentCall()?.trace.traceId);
          await publish("ticked", {});
        });
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    }));
    const hearing = defineService(heard, () => ({
      subscriptions: {
        onTicked: (_event, call) => void traceIds.push(call.trace.traceId),
      },
    }));
    await using node = await openShop({}, { services: [ticking, hearing] });
    await eventually(() => traceIds.length === 2);
    assert.equal(traceIds[0], traceIds[1]);
    const spans = await spansOf(node, traceIds[0] ?? "");
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["tick", "publish clock.ticked", "ear.onTicked"],
    );
  });
});

describe("A span of a service", () => {
  const told = defineContract("told", {
    summary: "Tells.",
    version: "1.0.0",
    events: { said: t.Object({ n: t.Integer() }) },
    operations: { say: { summary: "Say.", access: "anonymous" } },
  });
  const telling = defineService(told, ({ publish }) => ({
    operations: { say: async () => void (await publish("said", { n: 1 })) },
  }));

  test("is its call to everything but the trace: to once, to the log", async () => {
    const seen: (string | undefined)[] = [];
    const listener = defineContract("listener", {
      summary: "Listens.",
      version: "1.0.0",
      stores: { heard: { durability: "durable", value: counted, capabilities: ["transaction"] } },
      subscriptions: { onSaid: on(told, "said") },
    });
    const listening = defineService(listener, ({ span, once }) => ({
      subscriptions: {
        async onSaid(event, call) {
          await span("handle it", async () => {
            const inner = currentCall();
            seen.push(inner?.operation, inner?.caller, inner?.trace.traceId);
            assert.notEqual(inner?.trace.spanId, call.trace.spanId);
            seen.push(await once(event, () => undefined));
          });
        },
      },
    }));
    await using node = await openShop({}, { services: [telling, listening] });
    await post([node.url ?? "", "/told/say"], undefined, parent("01"));
    await eventually(() => seen.length === 4);
    assert.deepEqual(seen, ["listener.onSaid", "told", "a".repeat(32), "done"]);
  });
});

describe("What is kept", () => {
  test("holds neither requests nor answers nor events", { timeout: 60_000 }, async () => {
    const flags = ["--conditions=source", "--expose-gc"];
    await using child = spawnNode(heavy, [], { execArgv: flags });
    const { match } = await child.waitForLine(/^grown (-?\d+)$/, { timeoutMs: 50_000 });
    await child.exited; // it may still be writing what it covered
    // 60 requests and as many answers and events of a megabyte each went through.
    assert.ok(Number(match[1]) < 30, `${match[1]} MB more than before`);
  });
});

describe("The setting", () => {
  test("telemetry.traces.enabled: off, a trace is passed on and nothing is kept", async () => {
    await using node = await openShop({ "/telemetry/traces/enabled": false });
    const { headers } = await buy(node, "", parent("01"));
    assert.match(headers.get("traceparent") ?? "", new RegExp(`^00-${"a".repeat(32)}-.*-01$`));
    await assert.rejects(tracesOf(node), { code: "TELEMETRY_OFF" });
    await assert.rejects(spansOf(node, "a".repeat(32)), { code: "TELEMETRY_OFF" });
  });

  test("telemetry.metrics.enabled: off, there is no /metrics, but traces", async () => {
    await using node = await openShop({ "/telemetry/metrics/enabled": false });
    await buy(node);
    assert.equal((await request(node.url ?? "", "/metrics")).status, 404);
    assert.ok((await tracesOf(node)).some(({ name }) => name === "shop.buy"));
  });

  test("telemetry.traces.ratio: 0 keeps none but those that come in sampled", async () => {
    await using node = await openShop({ "/telemetry/traces/ratio": 0 });
    await buy(node);
    assert.deepEqual(await tracesOf(node), []);
    await buy(node, "", parent("01"));
    await buy(node, "", parent("00"));
    assert.equal((await tracesOf(node)).length, 1);
  });

  test("telemetry.traces.perSecondMax: so many are drawn in a second", async () => {
    await using node = await openShop({ "/telemetry/traces/perSecondMax": 2 });
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => buy(node)));
    const seconds = Math.ceil((performance.now() - startedMs) / 1000) + 1;
    const kept = await tracesOf(node, { name: "shop.buy" });
    assert.ok(kept.length >= 1 && kept.length <= 2 * seconds, `${kept.length} kept`);
  });

  test("telemetry.traces.slowMs: a slow call is kept with what was below it", async () => {
    const settings = { "/telemetry/traces/ratio": 0, "/telemetry/traces/slowMs": 30 };
    await using node = await openShop(settings);
    await buy(node, ',"waitMs":60');
    const [trace] = await tracesOf(node);
    assert.equal(trace?.kept, "slow");
    const spans = await spansOf(node, trace.traceId);
    assert.ok(spans.some(({ name, durationMs }) => name === "think it over" && durationMs >= 30));
  });

  test("telemetry.traces.notablePerSecondMax: a flood keeps so many", async () => {
    await using node = await openShop({
      "/telemetry/traces/ratio": 0,
      "/telemetry/traces/notablePerSecondMax": 1,
    });
    const startedMs = performance.now();
    for (let n = 0; n < 10; n += 1) await post([node.url ?? "", "/shop/crash"]);
    const seconds = Math.ceil((performance.now() - startedMs) / 1000) + 1;
    const { traces } = await node.client(nodeContract).telemetry.status({});
    assert.ok(traces.kept.error <= seconds);
    assert.equal(traces.kept.error + traces.overBudget, 10);
  });

  test("telemetry.traces.remotePerSecondMax: callers that sample are followed so far", async () => {
    await using node = await openShop({
      "/telemetry/traces/ratio": 0,
      "/telemetry/traces/remotePerSecondMax": 1,
    });
    const startedMs = performance.now();
    for (let n = 0; n < 10; n += 1) {
      const traceparent = `00-${`${n}`.repeat(31)}f-${"b".repeat(16)}-01`;
      await buy(node, "", { traceparent });
    }
    const seconds = Math.ceil((performance.now() - startedMs) / 1000) + 1;
    const kept = await tracesOf(node, { name: "shop.buy" });
    assert.ok(kept.length >= 1 && kept.length <= seconds, `${kept.length} kept`);
  });

  test("telemetry.traces.spansMax and callSites: bound what a trace holds", async () => {
    await using node = await openShop({
      "/telemetry/traces/spansMax": 2,
      "/telemetry/traces/callSites": false,
    });
    await buy(node);
    const [trace] = await tracesOf(node, { name: "shop.buy" });
    const spans = await spansOf(node, trace?.traceId ?? "");
    assert.ok(spans.some(({ dropped = 0 }) => dropped >= 2));
    assert.ok(spans.every(({ site }) => site === undefined));
  });

  test("telemetry.traces.recentMax and recentSpansMax: the oldest traces go", async () => {
    for (const pointer of ["/telemetry/traces/recentMax", "/telemetry/traces/recentSpansMax"]) {
      await using node = await openShop({ [pointer]: 10 });
      for (let n = 0; n < 30; n += 1) await buy(node);
      const { held } = await node.client(nodeContract).traces.list({});
      assert.ok(held >= 1 && held <= 10, `${held} held with ${pointer}`);
    }
  });

  test("telemetry.metrics.seriesMax: the rest counts together, warned of once", async () => {
    const log = createRecordingLog();
    const own = { "/telemetry/metrics/seriesMax": 1 };
    await using node = await openShop(own, { log });
    const { text } = await request(node.url ?? "", "/metrics");
    assert.match(text, /^v8js_memory_heap_bytes\{otel_metric_overflow="true"\}/m);
    await request(node.url ?? "", "/metrics");
    const warned = log.lines.filter(({ message }) => message.includes("no room for more labels"));
    const metrics = warned.map(({ fields }) => fields?.["metric"]);
    assert.ok(metrics.includes("v8js_memory_heap_bytes"));
    assert.equal(new Set(metrics).size, metrics.length);
  });
});

describe("/metrics", () => {
  test("has calls, HTTP, stores, events and what became of them", async () => {
    await using node = await openShop();
    await buy(node);
    await request(node.url ?? "", "/nowhere/at-all");
    await eventually(() => node.phase === "ready");
    const wanted = [
      'rpc_server_duration_seconds_count{rpc_service="shop",rpc_method="buy"} 1',
      'http_server_request_duration_seconds_count{http_request_method="POST",http_route="/shop/buy",http_response_status_code="200"} 1',
      'http_server_request_duration_seconds_count{http_request_method="GET",http_route="",http_response_status_code="404"} 1',
      'db_client_operation_duration_seconds_count{db_system_name="memory",db_namespace="stock",db_collection_name="",db_operation_name="transaction",error_type=""} 1',
      'db_client_operation_duration_seconds_count{db_system_name="memory",db_namespace="mail",db_collection_name="sent",db_operation_name="update",error_type=""} 1',
      'messaging_client_operation_duration_seconds_count{messaging_system="memory",messaging_destination_name="shop.sold",messaging_operation_name="publish",error_type=""} 1',
      'messaging_process_duration_seconds_count{messaging_destination_name="shop.sold",messaging_consumer_group_name="mail.onSold",error_type=""} 1',
      'banyan_subscription_handled_messages_total{bus="memory",subscription="mail.onSold"} 1',
      'banyan_subscription_dead_letters_total{bus="memory",subscription="mail.onSold"} 0',
      'banyan_subscription_lag_seconds{bus="memory",subscription="mail.onSold"} 0',
      'banyan_subscription_members{bus="memory",subscription="mail.onSold"} 1',
      'rpc_server_errors_total{rpc_service="shop",rpc_method="buy",error_type="unavailable"} 0',
      'banyan_traces_kept_total{reason="error"} 0',
    ];
    let text = "";
    for (let tries = 0; tries < 200; tries += 1) {
      ({ text } = await request(node.url ?? "", "/metrics"));
      if (wanted.every((line) => text.includes(`${line}\n`))) break;
      await realSleep(5);
    }
    for (const line of wanted) assert.ok(text.includes(`${line}\n`), `${line}\n\n${text}`);
  });

  test("says who the node is, how many calls it takes, and whether it is ready", async () => {
    const port = await freePort();
    const readiness: string[] = [];
    const told = async () => {
      const { text } = await request(`http://127.0.0.1:${port}`, "/metrics");
      readiness.push(/^banyan_node_ready (.+)$/m.exec(text)?.[1] ?? "");
      return text;
    };
    const slow = defineContract("slow", { summary: "Starts.", version: "1.0.0" });
    const service = defineService(slow, () => ({ start: async () => void (await told()) }));
    await using node = await openShop(
      {
        "/http/port": port,
        "/limits/inFlightMax": 123,
        "/node/id": "n-1",
        "/telemetry/serviceName": "shop",
        "/telemetry/environment": "test",
      },
      { services: [service], version: "1.2.3" },
    );
    const text = await told();
    assert.equal(node.phase, "ready");
    assert.deepEqual(readiness, ["0", "1"]);
    const labels = 'node="n-1",version="1.2.3",service_name="shop",environment="test"';
    assert.ok(text.includes(`\nbanyan_node_info{${labels}} 1\n`), text);
    assert.match(text, /^banyan_calls_active_limit 123$/m);
  });

  test("names the trace of a bucket's latest call to who asks for OpenMetrics", async () => {
    await using node = await openShop();
    await buy(node, "", parent("01"));
    const open = { headers: { accept: "application/openmetrics-text" } };
    const { text } = await request(node.url ?? "", "/metrics", open);
    const bucket = 'rpc_server_duration_seconds_bucket{rpc_service="shop",rpc_method="buy"';
    const line = text.split("\n").find((each) => each.startsWith(bucket) && each.includes("#"));
    assert.match(
      line ?? text,
      / 1 # \{trace_id="a{32}",span_id="[0-9a-f]{16}"\} [0-9.e-]+ [0-9.]+$/,
    );
    const plain = await request(node.url ?? "", "/metrics");
    assert.doesNotMatch(plain.text, / # \{/);
  });
});
