/** The observers of a node's stores, transactions and events, by OpenTelemetry's names. */

import type { Clock } from "@banyan/kernel";
import type { Metrics } from "./metrics.ts";
import { createOperationObserver } from "./operation-observer.ts";
import type { FailedOperation, OperationObserver } from "./operation-observer.ts";
import type { Tracer } from "./tracer.ts";

/** What observers are made with; where both are left out there is nothing to observe for. */
export interface Instruments {
  readonly clock: Clock;
  readonly metrics: Metrics | undefined;
  readonly tracer: Tracer | undefined;
}

export interface StorePlace {
  /** Engine: `sqlite`. */
  readonly system: string;
  readonly service: string;
  /** Name of the store; of several in a transaction, none. */
  readonly store: string;
  /** Told of operations that failed. */
  readonly failed?: FailedOperation | undefined;
}

/** Operations of a store, or (with an empty store name) transactions of a service. */
export function createStoreObserver(
  { clock, metrics, tracer }: Instruments,
  { system, service, store, failed }: StorePlace,
): OperationObserver {
  const durations = metrics?.histogram("db_client_operation_duration_seconds", {
    help: "How long store operations took, from the call to its answer.",
    labels: [
      "db_system_name",
      "db_namespace",
      "db_collection_name",
      "db_operation_name",
      "error_type",
    ],
    buckets: storeBuckets,
    seriesMax: 10_000,
  });
  const target = store === "" ? service : `${service}.${store}`;
  return createOperationObserver({
    clock,
    tracer,
    failed,
    durationOf:
      durations &&
      ((name, errorType) =>
        durations.with({
          db_system_name: system,
          db_namespace: service,
          db_collection_name: store,
          db_operation_name: name,
          error_type: errorType,
        })),
    spanOf: (name) => ({
      name: `${name} ${target}`,
      kind: "client",
      service,
      attributes: {
        "db.system.name": system,
        "db.namespace": service,
        ...(store === "" ? {} : { "db.collection.name": store }),
        "db.operation.name": name,
      },
    }),
  });
}

/** Publishes of one service; the operation's name is the topic. */
export function createPublishObserver(
  { clock, metrics, tracer }: Instruments,
  { service, systemOf }: { service: string; systemOf: (topic: string) => string },
): OperationObserver {
  const durations = metrics?.histogram("messaging_client_operation_duration_seconds", {
    help: "How long publishes took, until the event was as safe as its bus makes it.",
    labels: [
      "messaging_system",
      "messaging_destination_name",
      "messaging_operation_name",
      "error_type",
    ],
    buckets: storeBuckets,
    seriesMax: 10_000,
  });
  return createOperationObserver({
    clock,
    tracer,
    durationOf:
      durations &&
      ((topic, errorType) =>
        durations.with({
          messaging_system: systemOf(topic),
          messaging_destination_name: topic,
          messaging_operation_name: "publish",
          error_type: errorType,
        })),
    spanOf: (topic) => ({
      name: `publish ${topic}`,
      kind: "producer",
      service,
      attributes: {
        "messaging.system": systemOf(topic),
        "messaging.destination.name": topic,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
      },
    }),
  });
}

/**
 * Seconds. Finer than for calls, as a store in memory answers in microseconds and a disk in
 * hundreds of them.
 */
export const storeBuckets: readonly number[] = Object.freeze([
  0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10,
]);
