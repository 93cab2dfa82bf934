/** The overview's second half: what is full, what the process costs, and how telling goes. */

import type { Row } from "./dashboard-spec.ts";
import { node, perSecond } from "./selectors.ts";

const saturation: Row = {
  title: "Saturation",
  panels: [
    {
      kind: "time",
      title: "Calls in flight",
      about:
        "Handlers that have not ended. The table of nodes has their share of limits.inFlightMax.",
      width: 8,
      unit: "none",
      queries: [{ expr: `rpc_server_active_calls{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Event loop, delay",
      about: "How late the loop's turns are, p99 and worst between two scrapes.",
      width: 8,
      unit: "s",
      limit: 0.1,
      queries: [
        {
          expr: `nodejs_eventloop_delay_seconds{${node}, statistic=~"p99|max"}`,
          legend: "{{instance}} {{statistic}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Event loop, utilization",
      about: "Share of the time in which the loop works. Near 1 the node needs a sister.",
      width: 8,
      unit: "percentunit",
      limit: 0.9,
      queries: [{ expr: `nodejs_eventloop_utilization_ratio{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Waiting",
      about: "Writes that wait for the disk, and publishes that wait for room.",
      width: 12,
      unit: "none",
      queries: [
        { expr: `banyan_sqlite_writes_waiting{${node}}`, legend: "{{instance}} writes" },
        { expr: `banyan_bus_publishes_waiting{${node}}`, legend: "{{instance}} {{bus}} publishes" },
      ],
    },
    {
      kind: "time",
      title: "Lag of subscriptions",
      about: "Age of the oldest event that waits for a handler; the ten worst.",
      width: 12,
      unit: "s",
      limit: 60,
      queries: [
        {
          expr: `topk(10, job_bus_subscription:banyan_subscription_lag_seconds:max{job=~"$job"})`,
          legend: "{{subscription}}",
        },
      ],
    },
  ],
};

const processes: Row = {
  title: "Process",
  panels: [
    {
      kind: "time",
      title: "Processor",
      about: "Cores in use. One is the event loop; the writer thread and the collector add to it.",
      width: 6,
      unit: "short",
      queries: [
        {
          expr: perSecond("process_cpu_time_seconds_total", node, ["instance", "cpu_mode"]),
          legend: "{{instance}} {{cpu_mode}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Memory",
      about: "What the process holds, and what of it is the JavaScript heap or hangs on it.",
      width: 6,
      unit: "bytes",
      queries: [
        { expr: `process_memory_usage_bytes{${node}}`, legend: "{{instance}} resident" },
        {
          expr: `v8js_memory_heap_bytes{${node}, kind!="limit"}`,
          legend: "{{instance}} {{kind}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Heap in use, of its limit",
      about: "At 100 % the runtime ends the process. --max-old-space-size moves the limit.",
      width: 6,
      unit: "percentunit",
      limit: 0.85,
      queries: [
        {
          expr: `v8js_memory_heap_bytes{${node}, kind="used"} / ignoring (kind) v8js_memory_heap_bytes{${node}, kind="limit"}`,
          legend: "{{instance}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Garbage collection",
      about: "Share of the time; above 10 % the heap is too small or something is kept.",
      width: 6,
      unit: "percentunit",
      limit: 0.1,
      queries: [
        {
          expr: perSecond("v8js_gc_duration_seconds_sum", node, ["instance", "v8js_gc_type"]),
          legend: "{{instance}} {{v8js_gc_type}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Age",
      about: "Since the process started: a line that falls is a restart.",
      width: 12,
      unit: "s",
      queries: [{ expr: `process_uptime_seconds{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Log lines",
      about:
        "By level, and those that were lost. banyan log level shows and changes what is written.",
      width: 12,
      unit: "short",
      queries: [
        {
          expr: `sum by (level) (increase(banyan_log_lines_total{${node}}[$__rate_interval]))`,
          legend: "{{level}}",
        },
        {
          expr: `sum(increase(banyan_log_lines_dropped_total{${node}}[$__rate_interval]))`,
          legend: "lost",
        },
      ],
    },
  ],
};

const telemetry: Row = {
  title: "Telemetry itself",
  panels: [
    {
      kind: "time",
      title: "Traces kept",
      about: "By the reason, and those for which there was no room in their second.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_traces_kept_total", node, ["reason"]),
          legend: "{{reason}}",
        },
        {
          expr: perSecond("banyan_traces_over_budget_total", node, []),
          legend: "over budget",
        },
        {
          expr: perSecond("banyan_trace_spans_dropped_total", node, []),
          legend: "spans dropped",
        },
      ],
    },
    {
      kind: "time",
      title: "Traces in memory",
      about: "What banyan trace list can show.",
      width: 4,
      unit: "none",
      queries: [{ expr: `banyan_traces_recent{${node}}`, legend: "{{instance}}" }],
    },
    {
      kind: "time",
      title: "Export",
      about:
        "Spans by what became of them, where OTLP is configured; failing is 1 while nothing gets through.",
      width: 6,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_otlp_spans_total", node, ["outcome"]),
          legend: "{{outcome}}",
        },
        { expr: `banyan_otlp_failing{${node}}`, legend: "{{instance}} failing" },
      ],
    },
    {
      kind: "time",
      title: "Metrics with gaps",
      about: "Metrics without room for more series, and those that cannot be read. Empty is well.",
      width: 6,
      unit: "none",
      queries: [
        {
          expr: `sum by (instance, metric) (telemetry_series_overflows_total{${node}})`,
          legend: "{{instance}} {{metric}} overflows",
        },
        {
          expr: `sum by (instance, metric) (telemetry_callback_failures_total{${node}})`,
          legend: "{{instance}} {{metric}} fails",
        },
      ],
    },
  ],
};

export const saturationRows: readonly Row[] = [saturation, processes, telemetry];
