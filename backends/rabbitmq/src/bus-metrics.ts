/** What the bus tells of itself beside its status: buffer, connections, and how confirms take. */

import type { Metrics } from "@banyan/telemetry";
import { storeBuckets } from "@banyan/telemetry/internal";
import type { Link } from "./link.ts";
import type { Outbound } from "./outbound.ts";

export interface BusMetrics {
  /** Milliseconds between sending and its confirm. */
  confirmed(ms: number): void;
  /** Reads the gauges whenever somebody looks; the answer ends that. */
  watch(bus: WatchedBus): () => void;
}

export interface LinkCounts {
  readonly connections: number;
  readonly channels: number;
  /** Connections that were opened since the start. */
  readonly connects: number;
}

export interface WatchedBus {
  readonly namespace: string;
  readonly outbound: Outbound;
  /** Open connections and channels, now. */
  counts(): LinkCounts;
}

export function createBusMetrics(metrics: Metrics, namespace: string): BusMetrics {
  const confirms = metrics
    .histogram("banyan_rabbitmq_confirm_duration_seconds", {
      help: "How long RabbitMQ took to confirm a message, from when it was sent.",
      labels: ["namespace"],
      buckets: storeBuckets,
    })
    .with({ namespace });
  return {
    confirmed: (ms) => confirms.record(ms / 1e3),
    watch: (bus) => watch(metrics, bus),
  };
}

function watch(metrics: Metrics, { namespace, outbound, counts }: WatchedBus): () => void {
  const gauges = [
    ["outbound_messages", "Messages that RabbitMQ has not confirmed.", () => outbound.size],
    ["outbound_bytes", "Their size in bytes.", () => outbound.bytes],
    ["outbound_oldest_seconds", "Age of the oldest of them.", () => outbound.oldestMs / 1e3],
    [
      "outbound_used_ratio",
      "Share of the room for them that is used, 0 to 1; at 0.8 no more are taken.",
      () => outbound.usedShare,
    ],
    ["unconfirmed_messages", "Those of them that are sent.", () => outbound.unconfirmed],
    ["takes_messages", "1 while RabbitMQ takes messages, else 0.", () => Number(outbound.takes)],
    ["connections", "Open connections to RabbitMQ.", () => counts().connections],
    ["channels", "Open channels on them.", () => counts().channels],
  ] as const;
  const ends = gauges.map(([name, help, read]) =>
    metrics.observe(
      `banyan_rabbitmq_${name}`,
      { type: "gauge", help, labels: ["namespace"] },
      () => [{ labels: { namespace }, value: read() }],
    ),
  );
  ends.push(
    metrics.observe(
      "banyan_rabbitmq_connects_total",
      {
        type: "counter",
        help: "Connections to RabbitMQ that were opened; more than two: some were lost.",
        labels: ["namespace"],
      },
      () => [{ labels: { namespace }, value: counts().connects }],
    ),
  );
  return () => {
    for (const end of ends) end();
  };
}

/** What a bus has of its links together. */
export function countsOf(
  links: readonly Pick<Link, "connection" | "channels" | "connects">[],
): LinkCounts {
  const total = { connections: 0, channels: 0, connects: 0 };
  for (const { connection, channels, connects } of links) {
    if (connection !== undefined) total.connections += 1;
    total.channels += channels;
    total.connects += connects;
  }
  return total;
}
