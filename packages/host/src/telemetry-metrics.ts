/** What a node counts of itself: its state, its watching, its log and its buses. */

import type { Metrics } from "@banyan/telemetry";
import type { LevelledLog, LineWriter } from "@banyan/telemetry";
import type { Tracer, TraceStore } from "@banyan/telemetry/internal";
import type { OtlpExporter } from "@banyan/telemetry/otlp";
import type { BusStatus, SubscriptionStatus } from "@banyan/messaging";
import type { Clock } from "@banyan/kernel";
import type { NodeEngines } from "./engines.ts";
import type { NodePhase } from "./health.ts";
import type { NodeSetup } from "./setup.ts";
import { within } from "./within.ts";

export interface WatchedNode {
  readonly id: string;
  readonly version: string;
  readonly phase: NodePhase;
  readonly setup: Pick<NodeSetup, "config">;
}

/** Who the node is, whether it takes calls, and how many. */
export function registerNodeMetrics(metrics: Metrics, node: WatchedNode): void {
  const { limits, telemetry } = node.setup.config;
  metrics
    .gauge("banyan_node_info", {
      help: "Always 1; the labels say who the node is.",
      labels: ["node", "version", "service_name", "environment"],
    })
    .with({
      node: node.id,
      version: node.version,
      service_name: telemetry.serviceName,
      environment: telemetry.environment,
    })
    .set(1);
  metrics.observe(
    "banyan_node_ready",
    { type: "gauge", help: "1 while the node takes calls, 0 while it starts or drains." },
    () => (node.phase === "ready" ? 1 : 0),
  );
  metrics.observe(
    "banyan_calls_active_limit",
    { type: "gauge", help: "Calls the node takes at once: limits.inFlightMax." },
    () => limits.inFlightMax,
  );
}

export interface WatchedTracing {
  readonly tracer: Tracer;
  readonly traces: TraceStore;
  readonly exporter: () => OtlpExporter | undefined;
}

export function registerTracerMetrics(
  metrics: Metrics,
  { tracer, traces, exporter }: WatchedTracing,
): void {
  metrics.observe(
    "banyan_traces_kept_total",
    { type: "counter", help: "Traces that were kept, by the reason.", labels: ["reason"] },
    () =>
      Object.entries(tracer.counts.kept).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  metrics.observe(
    "banyan_traces_over_budget_total",
    {
      type: "counter",
      help: "Traces that failed or were slow and were not kept: the second's budget was used up.",
    },
    () => tracer.counts.overBudget,
  );
  metrics.observe(
    "banyan_trace_spans_dropped_total",
    { type: "counter", help: "Spans for which their trace had no room." },
    () => tracer.counts.spansDropped,
  );
  metrics.observe(
    "banyan_traces_recent",
    { type: "gauge", help: "Parts of traces held in memory." },
    () => traces.size,
  );
  metrics.observe(
    "banyan_otlp_spans_total",
    { type: "counter", help: "Spans by what the exporter did with them.", labels: ["outcome"] },
    () => {
      const health = exporter()?.health();
      if (health === undefined) return [];
      return [
        { labels: { outcome: "sent" }, value: health.sentSpans },
        { labels: { outcome: "dropped" }, value: health.droppedSpans },
        { labels: { outcome: "failed" }, value: health.failedSpans },
        { labels: { outcome: "rejected" }, value: health.rejectedSpans },
      ];
    },
  );
  metrics.observe(
    "banyan_otlp_failing",
    { type: "gauge", help: "1 while the exporter cannot deliver." },
    () => {
      const health = exporter()?.health();
      return health === undefined ? [] : health.state === "failing" ? 1 : 0;
    },
  );
}

export function registerLogMetrics(
  metrics: Metrics,
  { log, writer }: { readonly log: LevelledLog; readonly writer: LineWriter },
): void {
  metrics.observe(
    "banyan_log_lines_total",
    { type: "counter", help: "Lines written to the log.", labels: ["level"] },
    () => Object.entries(log.counts).map(([level, value]) => ({ labels: { level }, value })),
  );
  metrics.observe(
    "banyan_log_lines_dropped_total",
    { type: "counter", help: "Lines of this process for which the reader was too slow." },
    () => writer.droppedCount,
  );
}

/** How long a scrape waits for a bus to say how it is. */
const statusLimitMs = 1000;

/**
 * Counts and depths of every bus, asked for whenever somebody looks. What is not known in time is
 * missing from the text, rather than told as it was.
 */
export function registerBusMetrics(
  metrics: Metrics,
  { engines, clock }: { readonly engines: NodeEngines; readonly clock: Clock },
): void {
  const statuses = new Map<string, BusStatus>();
  metrics.prepare("banyan_bus_published_messages_total", async () => {
    const asking = [...engines.buses].map(async ([name, bus]) => {
      const asked = await within({ clock, limitMs: statusLimitMs }, bus.status());
      const status = asked.kind === "done" ? asked.value : undefined;
      if (status === undefined) statuses.delete(name);
      else statuses.set(name, status);
    });
    await Promise.all(asking);
  });
  registerBusCounts(metrics, statuses);
  registerSubscriptionCounts(metrics, statuses);
}

/** What waits in the outboxes of engines, and what the relays did with it. */
export function registerOutboxMetrics(metrics: Metrics, { relays }: NodeEngines): void {
  const all = () => [...relays].map(([engine, { status }]) => ({ engine, status }));
  metrics.observe(
    "banyan_outbox_events",
    {
      type: "gauge",
      help: "Events in the outbox of an engine: waiting for the bus, or aside as it refuses them.",
      labels: ["engine", "state"],
    },
    () =>
      all().flatMap(({ engine, status }) =>
        (["waiting", "aside"] as const).map((state) => ({
          labels: { engine, state },
          value: status[state],
        })),
      ),
  );
  const counts = [
    ["relayed_events", "relayed", "Events that this node brought from the outbox to the bus."],
    ["failures", "failed", "Tries to relay that ended because the engine or the bus failed."],
  ] as const;
  for (const [name, field, help] of counts) {
    metrics.observe(
      `banyan_outbox_${name}_total`,
      { type: "counter", help, labels: ["engine"] },
      () => all().map(({ engine, status }) => ({ labels: { engine }, value: status[field] })),
    );
  }
}

type Statuses = ReadonlyMap<string, BusStatus>;

function registerBusCounts(metrics: Metrics, statuses: Statuses): void {
  const counts = [
    ["published", "published", "Messages the bus accepted."],
    ["unrouted", "unrouted", "Messages accepted for a topic that nobody subscribed to."],
    ["expired", "expired", "Messages dropped by a group's retention, or past their own time."],
    ["enqueue_failed", "enqueueFailed", "Messages that were only enqueued, and then not kept."],
    ["dropped_dead_letter", "deadLettersDropped", "Dead letters pushed out by newer ones."],
  ] as const;
  for (const [name, field, help] of counts) {
    metrics.observe(
      `banyan_bus_${name}_messages_total`,
      { type: "counter", help, labels: ["bus"] },
      () => [...statuses].map(([bus, status]) => ({ labels: { bus }, value: status[field] })),
    );
  }
  metrics.observe(
    "banyan_bus_publishes_waiting",
    { type: "gauge", help: "Publishes that wait for room.", labels: ["bus"] },
    () => [...statuses].map(([bus, { publishesWaiting: value }]) => ({ labels: { bus }, value })),
  );
}

function registerSubscriptionCounts(metrics: Metrics, statuses: Statuses): void {
  const rows = () =>
    [...statuses].flatMap(([bus, { subscriptions }]) =>
      [...byName(subscriptions).values()].map((row) => ({
        row,
        labels: { bus, subscription: row.name },
      })),
    );
  const labels = ["bus", "subscription"] as const;
  const counts = [
    ["handled_messages", "handled", "Messages the subscription handled."],
    ["retried_messages", "retried", "Failed attempts that were followed by another one."],
    ["dead_letters", "deadLettered", "Messages the subscription gave up."],
  ] as const;
  for (const [name, field, help] of counts) {
    metrics.observe(
      `banyan_subscription_${name}_total`,
      { type: "counter", help, labels, seriesMax: 10_000 },
      () => rows().map(({ row, labels: of }) => ({ labels: of, value: row[field] })),
    );
  }
  metrics.observe(
    "banyan_subscription_messages",
    {
      type: "gauge",
      help: "Messages the subscription holds, by where they are.",
      labels: [...labels, "state"],
      seriesMax: 10_000,
    },
    () =>
      rows().flatMap(({ row, labels: of }) =>
        (["buffered", "running", "retrying", "delayed"] as const).map((state) => ({
          labels: { ...of, state },
          value: row[state],
        })),
      ),
  );
  const gauges = [
    [
      "lag_seconds",
      "Age of the oldest message that waits for a handler.",
      ({ lagMs }: SubscriptionStatus) => lagMs / 1e3,
    ],
    ["members", "Handlers that take its messages.", ({ members }: SubscriptionStatus) => members],
  ] as const;
  for (const [name, help, valueOf] of gauges) {
    metrics.observe(
      `banyan_subscription_${name}`,
      { type: "gauge", help, labels, seriesMax: 10_000 },
      () => rows().map(({ row, labels: of }) => ({ labels: of, value: valueOf(row) })),
    );
  }
}

/** Broadcasts may have several of one name: they are told together. */
function byName(rows: readonly SubscriptionStatus[]): Map<string, SubscriptionStatus> {
  const found = new Map<string, SubscriptionStatus>();
  for (const row of rows) {
    const other = found.get(row.name);
    found.set(row.name, other === undefined ? row : sumOf(row, other));
  }
  return found;
}

function sumOf(one: SubscriptionStatus, other: SubscriptionStatus): SubscriptionStatus {
  return {
    ...one,
    members: one.members + other.members,
    buffered: one.buffered + other.buffered,
    running: one.running + other.running,
    retrying: one.retrying + other.retrying,
    delayed: one.delayed + other.delayed,
    lagMs: Math.max(one.lagMs, other.lagMs),
    handled: one.handled + other.handled,
    retried: one.retried + other.retried,
    deadLettered: one.deadLettered + other.deadLettered,
  };
}
