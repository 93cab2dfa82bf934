import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { createMetrics } from "../metrics.ts";
import type { Metrics } from "../metrics.ts";
import { metricsRequests } from "./otlp-metrics.ts";
import type { MetricsPart } from "./otlp-metrics.ts";
import type { OtlpMetric } from "./otlp-schema.ts";

const reading = { resource: {}, startMs: 1000, timeMs: 2000 };

function partsOf(registry: Metrics): MetricsPart[] {
  return metricsRequests(registry.read(), reading);
}

function metricsOf(registry: Metrics): OtlpMetric[] {
  return partsOf(registry).flatMap(({ request }) =>
    (request.resourceMetrics ?? []).flatMap(({ scopeMetrics = [] }) =>
      scopeMetrics.flatMap(({ metrics = [] }) => metrics),
    ),
  );
}

test("a name keeps all but Prometheus's suffix of counters, and gives the unit", () => {
  const registry = createMetrics();
  registry.counter("process_cpu_time_seconds_total", { help: "" });
  registry.counter("http_request_bytes_total", { help: "" });
  registry.counter("jobs_total", { help: "" });
  registry.gauge("nodejs_eventloop_utilization_ratio", { help: "" });
  registry.gauge("rpc_server_active_calls", { help: "" });
  registry.gauge("seconds", { help: "" });
  registry.histogram("rpc_server_duration_seconds", { help: "" });
  assert.deepEqual(
    metricsOf(registry).map(({ name, unit }) => [name, unit]),
    [
      ["process_cpu_time_seconds", "s"],
      ["http_request_bytes", "By"],
      ["jobs", ""],
      ["nodejs_eventloop_utilization_ratio", "1"],
      ["rpc_server_active_calls", ""],
      ["seconds", "s"],
      ["rpc_server_duration_seconds", "s"],
    ],
  );
});

test("counters are cumulative and only go up, gauges have no start", () => {
  const registry = createMetrics();
  registry.counter("jobs_total", { help: "" });
  registry.observe("queue_length", { type: "gauge", help: "" }, () => 5);
  const [jobs, length] = metricsOf(registry);
  assert.equal(jobs?.sum?.isMonotonic, true);
  assert.equal(jobs?.sum?.aggregationTemporality, 2);
  assert.equal(jobs?.sum?.dataPoints?.[0]?.startTimeUnixNano, 1_000_000_000n);
  assert.equal(length?.gauge?.dataPoints?.[0]?.startTimeUnixNano, 0n);
  assert.equal(length?.gauge?.dataPoints?.[0]?.timeUnixNano, 2_000_000_000n);
  assert.equal(length?.gauge?.dataPoints?.[0]?.asDouble, 5);
});

test("the buckets of a histogram add up to its count", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true })), (values) => {
      const registry = createMetrics();
      const buckets = [0.5, 1, 10];
      const recorded = registry.histogram("took_seconds", { help: "", buckets }).with();
      for (const value of values) recorded.record(value);
      const point = metricsOf(registry)[0]?.histogram?.dataPoints?.[0];
      const { bucketCounts = [], count, sum, explicitBounds } = point ?? {};
      assert.deepEqual(explicitBounds, buckets);
      assert.equal(
        bucketCounts.reduce((all, each) => all + each, 0n),
        count,
      );
      assert.equal(count, BigInt(values.length));
      assert.equal(sum, recorded.sum);
      for (const [index, each] of bucketCounts.entries()) {
        const above = buckets[index - 1] ?? -Infinity;
        const upTo = buckets[index] ?? Infinity;
        assert.equal(each, BigInt(values.filter((v) => v > above && v <= upTo).length));
      }
    }),
    { seed: seedOf() },
  );
});

test("many points are told in several requests, each point once", () => {
  const registry = createMetrics();
  const jobs = registry.counter("jobs_total", { help: "", labels: ["queue"] });
  const sizes = registry.gauge("queue_length", { help: "", labels: ["queue"] });
  for (let queue = 0; queue < 450; queue += 1) jobs.with({ queue }).add(queue);
  for (let queue = 0; queue < 10; queue += 1) sizes.with({ queue }).set(queue);
  const parts = partsOf(registry);
  assert.deepEqual(
    parts.map(({ points }) => points),
    [200, 200, 60],
  );
  const queues = metricsOf(registry).flatMap(({ name, sum, gauge }) =>
    [...(sum?.dataPoints ?? []), ...(gauge?.dataPoints ?? [])].map(
      ({ attributes }) => `${name} ${attributes?.[0]?.value?.stringValue}`,
    ),
  );
  assert.equal(new Set(queues).size, 460);
  assert.equal(queues.length, 460);
});

test("where nothing was counted there is nothing to send", () => {
  const registry = createMetrics();
  registry.counter("jobs_total", { help: "", labels: ["queue"] });
  assert.deepEqual(partsOf(registry), []);
});
