/** What a bus on RabbitMQ can be asked for. */

import { BusCapability } from "@banyan/messaging";

/** What every bus on RabbitMQ offers. */
export const rabbitmqCapabilities: ReadonlySet<BusCapability> = new Set([
  BusCapability.Wildcards,
  BusCapability.Ordered,
  BusCapability.Delays,
  BusCapability.Retention,
]);

/** The age of what waits cannot be told where priorities decide what comes first. */
export const withPriorities: ReadonlySet<BusCapability> = new Set([
  BusCapability.Wildcards,
  BusCapability.Ordered,
  BusCapability.Delays,
  BusCapability.Priority,
]);
