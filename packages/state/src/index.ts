/** The door of state: stores for those who use them, the contract for those who make engines. */

export { openStore } from "./open-store.ts";
export type { EngineProfile, OpenStoreOptions } from "./open-store.ts";
export { memoryState, openMemoryEngine, processMedium } from "./memory.ts";
export { createTransactor } from "./transaction.ts";
export type {
  OpenTransaction,
  Transactor,
  TransactorOptions,
  TransactorStores,
} from "./transaction.ts";
export { openLocks } from "./lock/open-locks.ts";
export type { OpenLocksOptions } from "./lock/open-locks.ts";
export { LOCK_KEY_BYTES_MAX, LOCK_TTL_MS, LOCK_WAIT_MS_MAX } from "./lock/lock-options.ts";
export { stateErrors } from "./errors.ts";
export {
  assertKnownOptions,
  assertWithin,
  BATCH_MAX,
  resolveMemoryEngineOptions,
  resolveStoreLimits,
  TTL_MS_MAX,
} from "./options.ts";
export type {
  MemoryEngineOptions,
  ResolvedMemoryEngineOptions,
  ResolvedStoreLimits,
  StoreLimits,
} from "./options.ts";

export { nextRevision, StateCapability, unknownRevision } from "./engine.ts";
export type {
  Awaitable,
  BackupFile,
  CommitRider,
  Condition,
  DeleteOutcome,
  Durability,
  EngineChange,
  EngineCheck,
  EngineEntry,
  EngineOutbox,
  EngineScan,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  EngineWrite,
  Expiry,
  OpenStateOptions,
  OutboxHold,
  OutboxRow,
  OutboxStatus,
  StateEngine,
  StateEngineProvider,
  StoreName,
  TransactionOutcome,
  WriteOutcome,
} from "./engine.ts";
export { closedError } from "./failures.ts";
export { createEtagSource } from "./etags.ts";
export { compareKeys, KEY_BYTES_MAX, prefixEnd } from "./keys.ts";
