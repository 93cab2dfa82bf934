/** The users' door of the bus. */

export { BusCapability } from "./bus.ts";
export type {
  Bus,
  BusDurability,
  BusPublishOptions,
  BusStatus,
  CloseOptions,
  DeadLetter,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterReason,
  DeadLetters,
  Delivery,
  DeliveryHandler,
  DeliveryMode,
  DrainReport,
  Message,
  MessageHeaders,
  OutboundStatus,
  OutgoingMessage,
  PublishMode,
  SubscribeSpec,
  Subscription,
  SubscriptionStatus,
} from "./bus.ts";
export type { BusOpenOptions, BusProvider } from "./provider.ts";
export { memoryBus, openMemoryBus } from "./memory.ts";
export type { MemoryBusPorts } from "./memory.ts";
export type { LocalBusOptions, MemoryBusOptions } from "./options.ts";
export { messagingErrors } from "./errors.ts";
export { deadLetter } from "./failure.ts";
export { createDeduplicator } from "./deduplicator.ts";
export type { Deduplicator, DeduplicatorOptions } from "./deduplicator.ts";
export { createPublisher } from "./publisher.ts";
export type { PreparedEvent, Publisher, PublisherOptions } from "./publisher.ts";
export type { EventBuses } from "./event-buses.ts";
export { subscribeHandlers } from "./events.ts";
export type { EventHandlers, HandlerSubscriptions, SubscribeHandlersOptions } from "./events.ts";
