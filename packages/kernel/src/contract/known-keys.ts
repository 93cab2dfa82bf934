/**
 * The keys that each part of a contract may have. Types cannot refuse the others: a contract is
 * inferred as it stands, and inference takes more than it asks for. A misspelt `permission` would
 * leave an operation open to everybody who is signed in.
 */

import { nearest } from "../schema/nearest.ts";
import type {
  ContractSpec,
  EventSpec,
  ExtensionPointSpec,
  LockSpec,
  StoreSpec,
  SubscriptionSpec,
} from "./contract-spec.ts";
import type { BackoffOptions } from "../time/backoff.ts";
import type { AccessRule, HttpExchange, OperationSpec } from "./operation.ts";

/** Every key of `T` once: a new field that is not listed here does not compile. */
type KeysOf<T> = Readonly<Record<T extends unknown ? keyof T : never, true>>;

const contract: KeysOf<ContractSpec> = {
  summary: true,
  description: true,
  version: true,
  layer: true,
  config: true,
  stores: true,
  locks: true,
  events: true,
  operations: true,
  subscriptions: true,
  uses: true,
  optional: true,
  extensionPoints: true,
  extensions: true,
  errors: true,
};

const operation: KeysOf<OperationSpec> = {
  summary: true,
  description: true,
  access: true,
  request: true,
  response: true,
  stream: true,
  streamAhead: true,
  http: true,
  idempotent: true,
  deadlineMs: true,
  payloadBytesMax: true,
  concurrencyMax: true,
  errors: true,
  deprecated: true,
};

const rule: KeysOf<AccessRule> = { permission: true, resource: true, owner: true, states: true };

const http: KeysOf<HttpExchange> = { method: true, path: true, exchange: true };

const store: KeysOf<StoreSpec> = {
  value: true,
  durability: true,
  summary: true,
  expires: true,
  scoped: true,
  capabilities: true,
  version: true,
  upgrade: true,
};

const lock: KeysOf<LockSpec> = { durability: true, summary: true };

const event: KeysOf<EventSpec> = {
  payload: true,
  summary: true,
  durability: true,
  version: true,
  upgrade: true,
  orderedBy: true,
};

const subscription: KeysOf<SubscriptionSpec> = {
  contract: true,
  event: true,
  delivery: true,
  concurrency: true,
  retriesMax: true,
  backoff: true,
  deadlineMs: true,
  retentionMs: true,
  bufferMax: true,
};

const backoff: KeysOf<BackoffOptions> = {
  initialMs: true,
  maxMs: true,
  factor: true,
  jitter: true,
};

const point: KeysOf<ExtensionPointSpec> = {
  kind: true,
  summary: true,
  request: true,
  response: true,
  event: true,
};

const known = {
  contract,
  operation,
  rule,
  http,
  store,
  lock,
  event,
  subscription,
  backoff,
  point,
};

/** A key that its part of the contract does not have. */
export interface UnknownKey {
  readonly key: string;
  readonly fix: string;
}

/** The keys of `spec` that nothing reads. */
export function unknownKeys(part: keyof typeof known, spec: object): UnknownKey[] {
  const names = Object.keys(known[part]);
  return Object.keys(spec)
    .filter((key) => !names.includes(key))
    .map((key) => {
      const meant = nearest(key, names);
      const fix =
        meant === undefined ? `Use one of: ${names.join(", ")}.` : `Did you mean ${meant}?`;
      return { key, fix };
    });
}
