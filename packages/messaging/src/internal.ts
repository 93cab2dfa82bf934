/** The sister packages' door: what a node and other buses are built with. */

export { createEventReader } from "./event-reader.ts";
export type { EventReader } from "./event-reader.ts";
export { ownBackoff } from "./burials.ts";
export type { Burial } from "./burials.ts";
export { checkQuery } from "./dead-letter-box.ts";
export { describeFailure, isFinal } from "./failure.ts";
export { Fifo } from "./fifo.ts";
export { HeldDelivery } from "./held-delivery.ts";
export type { BusWheel, HeldOwner, Timed } from "./held-delivery.ts";
export { KeyLanes } from "./key-lanes.ts";
export { letterTeller } from "./letter-teller.ts";
export { checkMessage, isOver } from "./message-check.ts";
export type { MessageChecks } from "./message-check.ts";
export type {
  BusJournal,
  JournalAppend,
  JournalEntry,
  JournalGroup,
  JournalProgress,
  JournalWoken,
} from "./journal.ts";
export { isBatch } from "./intake.ts";
export { OneByOne } from "./one-by-one.ts";
export { leaseExpired, leaseLost, orderConflict } from "./queue-errors.ts";
export { drainDefaultMs, LocalDelivery, QueueMember } from "./queue-member.ts";
export type { MemberQueue } from "./queue-member.ts";
export { QueueLog } from "./queue-log.ts";
export { localBusCapabilities, openLocalBus } from "./local-bus.ts";
export type { LocalBusPorts } from "./local-bus.ts";
export {
  isEnqueue,
  isTopic,
  isWildcard,
  journalDefaults,
  memoryDefaults,
  resolveLocalBusOptions,
  resolveSubscribeSpec,
} from "./options.ts";
export type {
  LocalBusDefaults,
  LocalBusOptions,
  ResolvedLocalBusOptions,
  ResolvedSubscribeSpec,
} from "./options.ts";
export { OutboxRelay } from "./outbox-relay.ts";
export type { OutboxRelayOptions, OutboxRelayPorts, OutboxRelayStatus } from "./outbox-relay.ts";
export { refusedAfter } from "./publish-parts.ts";
export { topicOf } from "./publisher.ts";
export { matchesTopic } from "./topic-index.ts";
