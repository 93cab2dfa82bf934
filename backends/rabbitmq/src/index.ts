/** The door of the RabbitMQ backend. */

export { rabbitmqBus } from "./provider.ts";
export { rabbitmqCapabilities } from "./capabilities.ts";
export { openRabbitmqBus } from "./rabbitmq-bus.ts";
export { resolveRabbitmqOptions } from "./options.ts";
export type {
  MessageFormat,
  QueueType,
  RabbitmqOptions,
  RabbitmqTls,
  ResolvedRabbitmqOptions,
} from "./options.ts";
export { rabbitmqErrors } from "./errors.ts";
