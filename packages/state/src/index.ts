/** The door of state: stores for those who use them, the contract for those who make engines. */

export { openStore } from "./open-store.ts";
export type { EngineProfile, OpenStoreOptions } from "./open-store.ts";
export { memoryState, openMemoryEngine } from "./memory.ts";
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

export { StateCapability } from "./engine.ts";
export type {
  Awaitable,
  Condition,
  DeleteOutcome,
  Durability,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineStoreSpec,
  EngineWrite,
  Expiry,
  OpenStateOptions,
  StateEngine,
  StateEngineProvider,
  StoreName,
  WriteOutcome,
} from "./engine.ts";
export { closedError } from "./failures.ts";
export { createEtagSource } from "./etags.ts";
export { compareKeys, KEY_BYTES_MAX, prefixEnd } from "./keys.ts";
