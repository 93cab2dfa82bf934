import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "./metrics.ts";
import { registerProcessMetrics } from "./process-metrics.ts";

function valueOf(text: string, sample: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  assert.ok(line !== undefined, `${sample} is missing`);
  return Number(line.slice(sample.length + 1));
}

test("the process tells its memory, time, loop and collector", () => {
  const metrics = createMetrics();
  const stop = registerProcessMetrics(metrics);
  const text = metrics.render();
  assert.ok(valueOf(text, "process_memory_usage_bytes") > 10e6);
  assert.ok(valueOf(text, 'v8js_memory_heap_bytes{kind="used"}') > 1e6);
  assert.ok(valueOf(text, 'process_cpu_time_seconds_total{cpu_mode="user"}') > 0);
  assert.ok(valueOf(text, "process_uptime_seconds") > 0);
  const startedAgoSeconds = Date.now() / 1e3 - valueOf(text, "process_start_time_seconds");
  assert.ok(Math.abs(startedAgoSeconds - process.uptime()) < 10);
  const [used, limit] = ["used", "limit"].map((kind) =>
    valueOf(text, `v8js_memory_heap_bytes{kind="${kind}"}`),
  );
  assert.ok((limit ?? 0) > (used ?? Infinity));
  const utilization = valueOf(text, "nodejs_eventloop_utilization_ratio");
  assert.ok(utilization >= 0 && utilization <= 1);
  assert.equal(valueOf(text, 'v8js_gc_duration_seconds_count{v8js_gc_type="major"}') >= 0, true);
  stop();
  assert.doesNotMatch(metrics.render(), /nodejs_eventloop|process_/);
});

test("a blocked event loop shows as delay, until the next reading", async () => {
  const metrics = createMetrics();
  const stop = registerProcessMetrics(metrics, { loopResolutionMs: 1 });
  const max = 'nodejs_eventloop_delay_seconds{statistic="max"}';
  await realTime(20);
  metrics.render();
  // The sampler measures between two of its ticks and needs a first one after a reading.
  await realTime(20);
  const until = performance.now() + 60;
  while (performance.now() < until);
  await realTime(20);
  assert.ok(valueOf(metrics.render(), max) > 0.03);
  stop();
});

/** Real milliseconds: the sampler runs on the runtime's own timer, which no clock of ours moves. */
async function realTime(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
