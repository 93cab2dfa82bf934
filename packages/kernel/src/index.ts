/** The users' door of the kernel: what a service author and a client author need. */

export { t } from "./schema/t.ts";
export type { Static } from "typebox";
export type { InferInput, InferOutput, Schema } from "./schema/standard.ts";
export type { JsonSchema } from "./schema/json-schema.ts";
export type { Issue } from "./schema/issue.ts";

export { defineContract, extend, on } from "./contract/contract.ts";
export type {
  AnyContract,
  Contract,
  ContractSpec,
  EventSpec,
  ExtensionPointSpec,
  ExtensionSpec,
  LockSpec,
  StoreSpec,
  SubscribeOptions,
  SubscriptionSpec,
  Upgrades,
} from "./contract/contract.ts";
export type {
  Access,
  AccessRule,
  HttpExchange,
  OperationSpec,
  OperationTree,
} from "./contract/operation.ts";
export { Layer } from "./contract/layers.ts";

export { defineLifecycle } from "./lifecycle/lifecycle.ts";
// The declarations of a contract that has a lifecycle name the last four.
export type {
  ChangeName,
  ChangeOf,
  Lifecycle,
  LifecycleOptions,
  LifecycleEvent,
  LifecycleStore,
  VersionStore,
  VisibleProperties,
} from "./lifecycle/lifecycle.ts";
export { trackChanges } from "./lifecycle/track-changes.ts";
export type { TrackedEntities, TrackingTransaction } from "./lifecycle/track-changes.ts";
export { applyChange, changeHandlers, onChanges } from "./lifecycle/apply-change.ts";
export type { ChangeOutcome, ReplicaTransaction } from "./lifecycle/apply-change.ts";

export { defineService, isServiceDefinition } from "./service/service.ts";
export type {
  Health,
  OnceOptions,
  OnceOutcome,
  ServiceDefinition,
  ServiceFactory,
  ServiceParts,
  ServiceTools,
  Transact,
  Transaction,
} from "./service/service.ts";
export type {
  Client,
  ClientsOf,
  ConfigOf,
  Contribution,
  EventsOf,
  HttpExchangeInput,
  LocksOf,
  StoreOf,
  StoresOf,
  TransactionStoresOf,
} from "./service/inference.ts";

export { currentCall } from "./call/call.ts";
export type { Call, CallOptions } from "./call/call.ts";
export type { TraceContext } from "./call/trace.ts";

export { BanyanError, isBanyanError } from "./errors/banyan-error.ts";
export type { ErrorDetails, WireError } from "./errors/banyan-error.ts";
export { defineErrors } from "./errors/catalogue.ts";
export type { ErrorCatalogue, ErrorSpec, ErrorTable } from "./errors/catalogue.ts";
export { ErrorKind, errorKinds } from "./errors/kinds.ts";

export type {
  EventDelivery,
  EventOf,
  Published,
  PublishOptions,
  StagedPublishOptions,
} from "./ports/event.ts";
export type {
  DeleteOptions,
  Entry,
  Etag,
  Page,
  Repeatable,
  RevisedEntry,
  RevisedStore,
  Revision,
  ScanOptions,
  Scope,
  ScopedStore,
  ScopeOptions,
  ScopePage,
  ScopeQuery,
  Scopes,
  ScopeUsage,
  Store,
  TransactionStore,
  Waiting,
  WriteOptions,
} from "./ports/store.ts";
export type {
  AcquireOptions,
  Candidate,
  CandidateState,
  LeadOptions,
  Lock,
  LockOutcome,
  LockRelease,
  Locks,
  Term,
  TransactOptions,
} from "./ports/lock.ts";
export type {
  AccessDecision,
  AccessQuestion,
  Authenticator,
  Authorizer,
  Credentials,
  Principal,
} from "./ports/access.ts";
export { silentLog } from "./ports/log.ts";
export type { Log, LogFields } from "./ports/log.ts";

export { systemClock } from "./time/clock.ts";
export type { CancelTimer, Clock, TimerOptions } from "./time/clock.ts";
export { backoffMs } from "./time/backoff.ts";
export type { BackoffOptions } from "./time/backoff.ts";
export { createIdSource, systemIds } from "./ids.ts";
export type { IdSource } from "./ids.ts";
export { createSeededRandom, systemRandom } from "./random.ts";
export type { Random } from "./random.ts";
export { Limiter } from "./limiter.ts";
export type { LimiterOptions } from "./limiter.ts";
export { TaskGroup } from "./task-group.ts";
export type { TaskGroupOptions } from "./task-group.ts";
