/** How a host gets the bus: `engines: { bus: rabbitmq }`. */

import type { BusProvider } from "@banyan/messaging";
import { configSchema } from "./config-schema.ts";
import { assertKnown, configurable } from "./options.ts";
import { rabbitmqCapabilities } from "./capabilities.ts";
import { openRabbitmqBus } from "./rabbitmq-bus.ts";

/** Carries durable events over RabbitMQ. */
export const rabbitmqBus: BusProvider = Object.freeze({
  name: "rabbitmq",
  durability: "durable",
  capabilities: rabbitmqCapabilities,
  isShared: true,
  config: configSchema,
  openBus: ({ clock, random, log, metrics, onDeadLetter, onFatal, options = {} }) =>
    Promise.try(() => {
      assertKnown(options, configurable, "The RabbitMQ bus's configuration");
      return openRabbitmqBus({ ...options, clock, random, log, metrics, onDeadLetter, onFatal });
    }),
} satisfies BusProvider);
