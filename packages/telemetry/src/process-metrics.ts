/**
 * What the process itself costs: event loop, memory, processor, collector. Everything is read on
 * `render`; in between only the runtime's own delay sampler and collector hook run.
 */

import {
  PerformanceObserver,
  constants,
  monitorEventLoopDelay,
  performance,
} from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Metrics } from "./metrics.ts";

export interface ProcessMetricsOptions {
  /** How often the event loop's delay is sampled. Default 20 ms: 50 wake-ups a second. */
  readonly loopResolutionMs?: number;
}

/** Declares them all. The answer takes them away and stops the samplers. */
export function registerProcessMetrics(
  metrics: Metrics,
  options: ProcessMetricsOptions = {},
): () => void {
  const stops = [
    ...registerLoop(metrics, options.loopResolutionMs ?? 20),
    ...registerMemory(metrics),
    ...registerTime(metrics),
    registerCollector(metrics),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function registerLoop(metrics: Metrics, resolutionMs: number): (() => void)[] {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const secondsOf = (nanoseconds: number): number =>
    // The sampler measures from tick to tick, so its own interval is taken off.
    delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
  let before = performance.eventLoopUtilization();
  return [
    () => delay.disable(),
    metrics.observe(
      "nodejs_eventloop_delay_seconds",
      {
        type: "gauge",
        help: "How late the event loop was since the last reading, by statistic.",
        labels: ["statistic"],
      },
      () => {
        const values = [
          { labels: { statistic: "mean" }, value: secondsOf(delay.mean) },
          { labels: { statistic: "p50" }, value: secondsOf(delay.percentile(50)) },
          { labels: { statistic: "p99" }, value: secondsOf(delay.percentile(99)) },
          { labels: { statistic: "max" }, value: secondsOf(delay.max) },
        ];
        // The sampler's next tick only starts a new measurement: one sample per reading is lost.
        delay.reset();
        return values;
      },
    ),
    metrics.observe(
      "nodejs_eventloop_utilization_ratio",
      { type: "gauge", help: "Share of the time since the last reading in which the loop worked." },
      () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, before);
        before = now;
        return utilization;
      },
    ),
  ];
}

function registerMemory(metrics: Metrics): (() => void)[] {
  return [
    metrics.observe(
      "process_memory_usage_bytes",
      { type: "gauge", help: "Resident memory of the process." },
      () => process.memoryUsage.rss(),
    ),
    metrics.observe(
      "v8js_memory_heap_bytes",
      {
        type: "gauge",
        help: "The JavaScript heap, what it holds outside, and the limit it ends the process at.",
        labels: ["kind"],
      },
      () => {
        const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
        return [
          { labels: { kind: "used" }, value: heapUsed },
          { labels: { kind: "total" }, value: heapTotal },
          { labels: { kind: "external" }, value: external },
          { labels: { kind: "array_buffers" }, value: arrayBuffers },
          { labels: { kind: "limit" }, value: getHeapStatistics().heap_size_limit },
        ];
      },
    ),
  ];
}

function registerTime(metrics: Metrics): (() => void)[] {
  return [
    metrics.observe(
      "process_cpu_time_seconds_total",
      { type: "counter", help: "Processor time the process used.", labels: ["cpu_mode"] },
      () => {
        const { user, system } = process.cpuUsage();
        return [
          { labels: { cpu_mode: "user" }, value: user / 1e6 },
          { labels: { cpu_mode: "system" }, value: system / 1e6 },
        ];
      },
    ),
    metrics.observe("process_uptime_seconds", { type: "gauge", help: "Age of the process." }, () =>
      process.uptime(),
    ),
    metrics.observe(
      "process_start_time_seconds",
      { type: "gauge", help: "When the process started, in seconds since 1970." },
      // Not now minus the age: that would tremble, and a start is one moment.
      () => performance.timeOrigin / 1e3,
    ),
  ];
}

const collections = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

function registerCollector(metrics: Metrics): () => void {
  const durations = metrics.histogram("v8js_gc_duration_seconds", {
    help: "Pauses of the garbage collector.",
    labels: ["v8js_gc_type"],
    buckets: [0.001, 0.01, 0.1, 1],
  });
  const byKind = new Map(
    [...collections].map(([kind, name]) => [kind, durations.with({ v8js_gc_type: name })]),
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) byKind.get(kindOf(entry))?.record(entry.duration / 1e3);
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

/** Node's collector entries carry a kind in `detail`, which the general type does not know. */
function kindOf(entry: object): number {
  const detail = "detail" in entry ? entry.detail : undefined;
  if (typeof detail !== "object" || detail === null || !("kind" in detail)) return -1;
  return typeof detail.kind === "number" ? detail.kind : -1;
}
