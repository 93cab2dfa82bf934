/**
 * The engine contract: what a database must do to keep stores. Authors never see it; they see
 * `Store` (kernel), which `openStore` builds on an engine.
 *
 * Who does what. The store above checks keys, validates and copies values in both directions,
 * measures them, upgrades old ones, and turns a conflict into an error. An engine only keeps
 * entries. So an engine is small, and what it could get wrong is what its law tests:
 *
 * E1. Two stores (scope + name) never see each other's keys.
 * E2. Keys compare as UTF-8 bytes, exactly: no case, padding, normalisation or wildcard rules.
 * E3. Every write gets an etag no write ever had before, also after delete-and-create and restart.
 * E4. A condition and its write are one step; a batch is all or none.
 * E5. An entry is gone for every method from `expiresAt` on (`now >= expiresAt`).
 * E6. A value given to an engine is its own to keep, and what it returned never changes later.
 *     The same object may be returned twice: the store above copies before anybody can change it.
 * E7. `durable`: what was acknowledged survives `kill -9`, with etag, version and expiry.
 * E8. Writes of one process take effect in the order in which they were handed over, whether or
 *     not anybody waited for the one before.
 * E9. A transaction's checks, changes and riders are one step: all of it or none, and nobody sees
 *     half.
 * E10. A closed engine answers everything with CLOSED; `close` is idempotent.
 */

import type { Clock, Etag, Log, Revision, Waiting } from "@banyan/kernel";
import type { Metrics } from "@banyan/telemetry";

/** `durable`: acknowledged writes survive `kill -9`. `ephemeral`: they may go with the process. */
export type Durability = "durable" | "ephemeral";

/**
 * What an engine can do beyond the base law. Names that no engine declares yet are reserved, so
 * that a contract can ask for them and be refused by name.
 */
export const StateCapability = {
  /** Entries with a time to live. */
  Expires: "expires",
  /** Version number, created and updated time of each entry. */
  Revisions: "revisions",
  OrderedScan: "orderedScan",
  Watch: "watch",
  LiveMigration: "liveMigration",
  Query: "query",
  Search: "search",
  Collections: "collections",
  /** `transact`: checks and changes of several keys and stores as one step. */
  Transaction: "transaction",
  /** Riders: what a bus on the same medium commits together with a transaction. */
  Outbox: "outbox",
  /** `outbox`: rows that are committed with a transaction and wait for a relay to any other bus. */
  Relay: "relay",
} as const;
export type StateCapability = (typeof StateCapability)[keyof typeof StateCapability];

/** A plain value or a promise of it: an embedded engine answers at once and saves the turn. */
export type Awaitable<T> = T | Promise<T>;

/** Names one store: the owner's scope (a service, an organisation …) and the name inside it. */
export interface StoreName {
  /** 1 … 128 bytes of UTF-8, no U+0000. */
  readonly scope: string;
  /** 1 … 128 bytes of UTF-8, no U+0000. */
  readonly name: string;
}

export interface EngineStoreSpec extends StoreName {
  readonly durability: Durability;
  /** What the store asked for; the engine has declared all of it. */
  readonly capabilities: ReadonlySet<StateCapability>;
}

/** One entry as an engine keeps it. */
export interface EngineEntry {
  readonly key: string;
  /** JSON data. */
  readonly value: unknown;
  readonly etag: Etag;
  /** Version of the value's schema at the time of the write, 1 or more. */
  readonly version: number;
  /**
   * Where the store asked for `revisions`. Left out on an entry from before it asked, which counts
   * as the first of an unknown time (`nextRevision`).
   */
  readonly revision?: Revision | undefined;
}

/** What is said of an entry that was written before its store asked for `revisions`. */
export const unknownRevision: Revision = Object.freeze({
  revision: 1,
  createdAtMs: 0,
  updatedAtMs: 0,
});

/** The revision that a write at `nowMs` makes of what was there. */
export function nextRevision(previous: EngineEntry | undefined, nowMs: number): Revision {
  if (previous === undefined) return { revision: 1, createdAtMs: nowMs, updatedAtMs: nowMs };
  const { revision, createdAtMs } = previous.revision ?? unknownRevision;
  return { revision: revision + 1, createdAtMs, updatedAtMs: nowMs };
}

/** What becomes of an entry's time to live: none, the one it has, or this many ms from now. */
export type Expiry = "none" | "keep" | number;

/** The entry as it shall stand. */
export interface EngineWrite {
  readonly key: string;
  readonly value: unknown;
  readonly version: number;
  readonly expiry: Expiry;
  /**
   * The etag it shall have, where whoever writes must know it beforehand. Its maker answers for it
   * that no write ever had it (E3); `createEtagSource` makes such. Left out: the engine makes one.
   */
  readonly etag?: Etag | undefined;
}

/** Under which condition a write happens; at most one of the two. */
export interface Condition extends Waiting {
  readonly ifMatch?: Etag | undefined;
  readonly ifAbsent?: boolean | undefined;
}

/** How a write ended. `conflict`: its condition does not hold, nothing was written. */
export type WriteOutcome =
  | { readonly kind: "written"; readonly etag: Etag }
  | { readonly kind: "conflict" };

/** How a delete ended. `conflict`: its condition does not hold, nothing was removed. */
export type DeleteOutcome =
  | { readonly kind: "deleted"; readonly existed: boolean }
  | { readonly kind: "conflict" };

export interface EngineScan {
  /** Only keys that begin with this text; `""` for all. */
  readonly prefix: string;
  /** Only keys greater than this one; `undefined` from the start. */
  readonly after: string | undefined;
  /** At most this many, 1 or more. */
  readonly limit: number;
}

/**
 * One store inside an engine. Arguments are checked by the caller: keys are valid, lists have no
 * duplicates and at most 1000 items. `signal` is honoured where an engine waits; a write that was
 * handed to the database is not called back, and where that may take long, a caller whose time is
 * over (`isOutOfTime`) is told STATE_OUTCOME_UNKNOWN at once.
 */
export interface EngineStore {
  /**
   * The entry as the next write will find it: with the writes of this process that were handed over
   * and are not acknowledged yet. They may still fail, so only a write with a condition may build
   * on it, and what is concluded from it must be checked. A write whose condition does not hold is
   * not shown; a transaction that will conflict may be, until it is answered. Only with the
   * capability `transaction`; left out where `get` is just that, or writes have no such order (E8).
   */
  latest?(key: string, options?: Waiting): Awaitable<EngineEntry | undefined>;
  get(key: string, options?: Waiting): Awaitable<EngineEntry | undefined>;
  /** One place for each key, in their order. */
  getMany(
    keys: readonly string[],
    options?: Waiting,
  ): Awaitable<readonly (EngineEntry | undefined)[]>;
  has(key: string, options?: Waiting): Awaitable<boolean>;
  /** `ifMatch` on a key that is not there is a conflict. */
  set(write: EngineWrite, condition?: Condition): Awaitable<WriteOutcome>;
  /** All or none; the etags in the order of the writes. */
  setMany(writes: readonly EngineWrite[], options?: Waiting): Awaitable<readonly Etag[]>;
  /** `ifMatch` on a key that is not there is a conflict. */
  delete(key: string, condition?: Condition): Awaitable<DeleteOutcome>;
  /** All or none; how many were there. */
  deleteMany(keys: readonly string[], options?: Waiting): Awaitable<number>;
  /** In the byte order of the keys' UTF-8. */
  scan(scan: EngineScan, options?: Waiting): Awaitable<readonly EngineEntry[]>;
  /** How many entries there are (E5). */
  count(options?: Waiting): Awaitable<number>;
}

/** What a transaction has read and insists on. */
export interface EngineCheck {
  readonly store: EngineStore;
  readonly key: string;
  /** `undefined`: the key was not there. */
  readonly etag: Etag | undefined;
}

/** What a transaction changes; at most once for each key. */
export type EngineChange =
  | { readonly kind: "set"; readonly store: EngineStore; readonly write: EngineWrite }
  | { readonly kind: "delete"; readonly store: EngineStore; readonly key: string };

/**
 * Something that is committed with a transaction or not at all, such as a publish to a bus on the
 * same file. Exactly one of its two methods is called, once, whatever becomes of the transaction;
 * neither may throw or wait.
 */
export interface CommitRider {
  /** What it can ride on: the `medium` of the engine it was made for. */
  readonly medium: object;
  /** What the engine writes for it, in terms of the medium; `undefined`: nothing. */
  readonly load: unknown;
  /** It is as safe as the engine's durability says. */
  committed(): void;
  /** It was not written, or whether it was is not known (the transaction's error says so). */
  dropped(): void;
}

/** Who holds rows of an outbox, and for how long. */
export interface OutboxHold {
  /** Names the holder: unique among those who are alive; 1 … 64 visible ASCII characters. */
  readonly by: string;
  /** By the engine's clock: nodes that share it agree. 1 … 3 600 000 ms. */
  readonly leaseMs: number;
}

/** A row as whoever claimed it is given it. */
export interface OutboxRow {
  readonly id: string;
  readonly load: string;
}

/** Rows that were committed and not removed. */
export interface OutboxStatus {
  readonly waiting: number;
  readonly aside: number;
}

/**
 * What was committed with transactions and has still to be told elsewhere, for engines that share
 * no medium with the bus. Its rows are text that the engine does not read.
 *
 * O1. Rows are committed with their transaction or not at all (E9), and are as safe as it is.
 * O2. A row has one holder at a time: from its commit on the one that its rider named, until the
 *     lease is over or given back. So what a process commits is its own to relay, in order.
 * O3. A claim answers in the order of the commits of each process, and of the rows in one.
 * O4. What was removed never comes back, nor its id; what was set aside is not claimed.
 */
export interface EngineOutbox {
  /**
   * Where only one process at a time has the rows: the name under which it holds them, whatever it
   * is called. So what the one before left behind is its own at once, and first in line.
   */
  readonly holder?: string | undefined;
  /**
   * A rider that leaves these rows behind; `onCommitted` is called once, after the commit.
   * @throws STATE_VALUE_TOO_LARGE where the server takes no such row
   */
  ride(loads: readonly string[], hold: OutboxHold, onCommitted?: () => void): CommitRider;
  /**
   * Up to `limit` rows that `by` holds already or nobody holds any more, the oldest first; from now
   * on `by` holds them for `leaseMs`.
   */
  claim(
    claim: OutboxHold & { readonly limit: number },
    options?: Waiting,
  ): Awaitable<readonly OutboxRow[]>;
  /** They were told; whoever holds them now. */
  remove(ids: readonly string[], options?: Waiting): Awaitable<void>;
  /** Gives back whatever `by` holds: others may claim it at once. */
  release(by: string, options?: Waiting): Awaitable<void>;
  /** Keeps a row that cannot be told, with the reason, out of the way of the others. */
  setAside(id: string, reason: string, options?: Waiting): Awaitable<void>;
  status(options?: Waiting): Awaitable<OutboxStatus>;
}

/**
 * At most 1001 checks and 1001 changes, on stores of this very engine: the thousand that an author
 * may ask for, and the record of the operation (`operationId`).
 */
export interface EngineTransaction {
  readonly checks: readonly EngineCheck[];
  readonly changes: readonly EngineChange[];
  /** Only with the capability `outbox`, and only for this engine's medium. */
  readonly riders: readonly CommitRider[];
}

/** `conflict`: a check does not hold; nothing was written, the riders were dropped. */
export type TransactionOutcome = { readonly kind: "committed" } | { readonly kind: "conflict" };

/** A file that a backup is made of. */
export interface BackupFile {
  /** Path below the backup's folder. */
  readonly path: string;
}

/** A database that keeps stores. */
export interface StateEngine extends AsyncDisposable {
  /** `memory`, `sqlite`: for messages and health reports. */
  readonly name: string;
  readonly durability: Durability;
  readonly capabilities: ReadonlySet<StateCapability>;
  /** Opening a store twice gives two views of the same entries. */
  openStore(spec: EngineStoreSpec): Awaitable<EngineStore>;
  /**
   * With the capability `transaction`. Tells every rider how it ended before it answers or throws.
   * @throws STATE_RIDER_FOREIGN, STATE_TRANSACTION_MIXED when a rider or a store is not of this
   *   engine; nothing was written
   */
  transact?(transaction: EngineTransaction, options?: Waiting): Awaitable<TransactionOutcome>;
  /** What riders can be made for: an object that a bus on the same file or connection shares. */
  readonly medium?: object | undefined;
  /** With the capability `relay`, and only with it. */
  readonly outbox?: EngineOutbox | undefined;
  /**
   * Writes a consistent copy of everything the medium keeps into a folder, while the engine works
   * on; the files are on disk when it resolves. Left out where nothing outlives the process.
   */
  backup?(folder: string, options?: Waiting): Promise<readonly BackupFile[]>;
  /**
   * Resolves when the engine answers; a full disk may show at a write only.
   * @throws STATE_ENGINE_UNAVAILABLE or its like.
   */
  check(options?: Waiting): Awaitable<void>;
  /** Finishes what was begun, then lets go. Idempotent. */
  close(): Promise<void>;
}

/** What a host hands to a provider. */
export interface OpenStateOptions {
  /** The node's data directory, open and locked; an engine without files ignores it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Where it counts what only it can see. Left out: it counts nothing. */
  readonly metrics?: Metrics | undefined;
  /** The engine's own section of the configuration; the provider checks it. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

/** How a host gets an engine: what a backend package exports. */
export interface StateEngineProvider {
  /** As written in `engines: { durable: sqlite }`. */
  readonly name: string;
  readonly kinds: { readonly state: Durability };
  /** Many nodes open the same state, so that one finds what another wrote. Default false. */
  readonly isShared?: boolean | undefined;
  /** What its engines declare, so that a store can be refused before anything is opened. */
  readonly capabilities: ReadonlySet<StateCapability>;
  /**
   * JSON Schema of `options`: a section of the node's configuration under the engine's name. Left
   * out: nothing can be set.
   */
  readonly config?: object | undefined;
  openState(options: OpenStateOptions): Promise<StateEngine>;
}
