/** What RabbitMQ writes on a message that it took out of a queue by itself. */

import type { ConsumeMessage } from "amqplib";
import { readMessage } from "./wire.ts";
import type { Arrived } from "./wire.ts";

export interface ServerDeath {
  /** Where it was. */
  readonly queue: string;
  /** `maxlen`, `expired`, `delivery_limit` … */
  readonly reason: string;
  /** How it had come there. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Wall clock, whole seconds of it; 0: it does not say. */
  readonly atMs: number;
}

/** The last of its deaths; `undefined`: it was published to where it is. */
export function deathOf({ properties }: ConsumeMessage): ServerDeath | undefined {
  const deaths: unknown = properties.headers?.["x-death"];
  const last: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  if (typeof last !== "object" || last === null) return undefined;
  // An object: its fields are looked at one by one.
  const fields = last as Readonly<Record<string, unknown>>;
  const keys = fields["routing-keys"];
  return {
    queue: textOf(fields["queue"]),
    reason: textOf(fields["reason"]),
    exchange: textOf(fields["exchange"]),
    routingKey: Array.isArray(keys) ? textOf(keys[0]) : "",
    atMs: timeOf(fields["time"]),
  };
}

/** Reads it with the routing key that it had while it lived. */
export function readDead(
  { content, fields, properties }: ConsumeMessage,
  death: ServerDeath | undefined,
  keyed: string,
): Arrived {
  const { routingKey } = death ?? fields;
  const lived = { content, fields: { routingKey, redelivered: false }, properties };
  return readMessage(lived, death?.exchange === keyed);
}

/** As the client reads a timestamp: seconds, in an object that says what it is. */
function timeOf(value: unknown): number {
  if (typeof value !== "object" || value === null || !("value" in value)) return 0;
  return typeof value.value === "number" ? value.value * 1000 : 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
