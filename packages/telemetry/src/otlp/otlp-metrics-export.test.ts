/** Metrics on their way to a receiver of its own process, by all three protocols. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeClock, until } from "@banyan/testbed";
import { createMetrics } from "../metrics.ts";
import type { Metrics } from "../metrics.ts";
import { openOtlpExporter } from "./otlp-exporter.ts";
import { OtlpProtocol } from "./otlp-options.ts";
import { openReceiver } from "./otlp-receiver.test.ts";
import { expectedResource, sampleResource, sampleSpan } from "./otlp-spans.test.ts";

const shared = await openReceiver();
after(() => shared[Symbol.asyncDispose]());

const openedMs = Date.UTC(2025, 0, 1);
const startTimeUnixNano = `${BigInt(openedMs) * 1_000_000n}`;
const timeUnixNano = `${BigInt(openedMs + 5000) * 1_000_000n}`;
const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

function count(registry: Metrics): void {
  const jobs = registry.counter("jobs_total", { help: "Jobs done.", labels: ["queue"] });
  jobs.with({ queue: "a" }).add(2.5);
  registry.gauge("process_memory_usage_bytes", { help: "Memory." }).with().set(-0.5);
  const took = registry
    .histogram("rpc_server_duration_seconds", { help: "Time.", buckets: [0.1, 1] })
    .with();
  for (const seconds of [0.1, 0.2, 0.3, 7]) took.record(seconds);
  took.exemplify({ trace: { traceId, spanId, sampled: true } }, 7, openedMs);
}

const rest = { flags: 0, exemplars: [] };

/** What a receiver decodes of them five seconds later; written by hand. */
const expectedMetrics = [
  {
    name: "jobs",
    description: "Jobs done.",
    unit: "",
    metadata: [],
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [
        {
          ...rest,
          startTimeUnixNano,
          timeUnixNano,
          asDouble: 2.5,
          attributes: [{ key: "queue", value: { stringValue: "a" } }],
        },
      ],
    },
  },
  {
    name: "process_memory_usage_bytes",
    description: "Memory.",
    unit: "By",
    metadata: [],
    gauge: {
      dataPoints: [
        { ...rest, startTimeUnixNano: "0", timeUnixNano, asDouble: -0.5, attributes: [] },
      ],
    },
  },
  {
    name: "rpc_server_duration_seconds",
    description: "Time.",
    unit: "s",
    metadata: [],
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [
        {
          flags: 0,
          startTimeUnixNano,
          timeUnixNano,
          count: "4",
          sum: 7.6,
          bucketCounts: ["1", "2", "1"],
          explicitBounds: [0.1, 1],
          attributes: [],
          exemplars: [
            {
              timeUnixNano: startTimeUnixNano,
              asDouble: 7,
              spanId,
              traceId,
              filteredAttributes: [],
            },
          ],
        },
      ],
    },
  },
];

for (const protocol of Object.values(OtlpProtocol)) {
  test(`${protocol}: metrics arrive with buckets, sums and exemplars`, async () => {
    const receiver = await shared.renew();
    const clock = new FakeClock({ nowMs: openedMs });
    const registry = createMetrics();
    count(registry);
    await using exporter = openOtlpExporter({
      endpoint: receiver.endpointFor(protocol),
      protocol,
      resource: sampleResource,
      metrics: { registry, intervalMs: 5000 },
      clock,
    });
    await clock.advance(5000);
    const [received] = await receiver.untilReceived(1);
    assert(received?.signal === "metrics");
    const [resourceMetrics] = received.request["resourceMetrics"] as [Record<string, unknown>];
    assert.deepEqual(resourceMetrics["resource"], expectedResource);
    const [{ scope, metrics }] = resourceMetrics["scopeMetrics"] as [
      { scope: { name: string }; metrics: unknown },
    ];
    assert.equal(scope.name, "banyan");
    assert.deepEqual(metrics, expectedMetrics);
    await until(() => exporter.health().state === "ok", { what: "The delivery" });
    assert.equal(exporter.health().metrics?.sentPoints, 3);
    assert.equal(exporter.health().sentSpans, 0);
  });
}

test("a reading that nobody takes gives way to the next, and spans go their own way", async () => {
  const receiver = await shared.renew();
  const clock = new FakeClock({ nowMs: openedMs });
  const registry = createMetrics();
  const jobs = registry.counter("jobs_total", { help: "Jobs done." }).with();
  await using exporter = openOtlpExporter({
    endpoint: receiver.http,
    protocol: "http/protobuf",
    resource: sampleResource,
    metrics: { registry, intervalMs: 600_000 },
    clock,
  });
  const headers = { "retry-after": "60" };
  await receiver.answer({ kind: "http", status: 503, message: "no metrics today", headers });
  jobs.add(1);
  await exporter.flush();
  jobs.add(1);
  await clock.advance(1000);
  exporter.add([sampleSpan()]);
  await exporter.flush();
  const { metrics, ...health } = exporter.health();
  assert.deepEqual([metrics?.state, metrics?.queuedPoints], ["failing", 2]);
  assert.deepEqual([health.state, health.sentSpans], ["failing", 1], "the worse of the two");
  assert.equal(health.lastError, "HTTP 503: no metrics today");
  assert.equal(health.lastSuccessAtMs, openedMs + 1000);
  await clock.advance(59_000);
  await until(() => exporter.health().state === "ok", { what: "The delivery" });
  const [, , last] = await receiver.untilReceived(3);
  assert.match(JSON.stringify(last?.request), /"asDouble":2[,}]/);
  assert.equal(exporter.health().metrics?.sentPoints, 1);
  assert.equal(exporter.health().metrics?.failedPoints, 1);
});
