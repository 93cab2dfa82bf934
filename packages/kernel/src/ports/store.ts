/**
 * A store as a service author sees it. `packages/state` makes one from a contract's declaration and
 * an engine; this is only its shape, so that contracts can be typed on the lowest floor.
 */

/** Opaque: compare for equality only. Fresh with every write, never reused for a key. */
export type Etag = string;

/** One entry with its etag. */
export interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly etag: Etag;
}

/** How often and when an entry was written: the capability `revisions`. */
export interface Revision {
  /** 1 for the write that made the entry, then 2, …; from 1 again after delete-and-create. */
  readonly revision: number;
  /** Wall clock of the write that made it, milliseconds since 1970. */
  readonly createdAtMs: number;
  /** Wall clock of the last write. */
  readonly updatedAtMs: number;
}

/** An entry of a store that declared `revisions`. */
export type RevisedEntry<V> = Entry<V> & Revision;

/** Anything that waits can be told to stop; a `Call` fits, whose deadline then ends the wait. */
export interface Waiting {
  readonly signal?: AbortSignal | undefined;
}

/** A write that can be asked again when nobody knows how it ended. */
export interface Repeatable extends Waiting {
  /**
   * Names this one write, 1 … 128 visible ASCII characters, unique among the stores of a service:
   * it takes effect at most once, and asking again answers what the first one answered, for 24
   * hours and also from another node. A lost reply is asked for again by the store itself. A
   * conflict is not remembered: it wrote nothing, and may be decided anew.
   * @throws STATE_OPERATION_INVALID, STATE_OPERATION_MISMATCH when another write had it,
   *   STATE_CAPABILITY_MISSING where the engine has no transactions
   */
  readonly operationId?: string | undefined;
}

export interface WriteOptions extends Repeatable {
  /** Write only if the stored etag is still this one. */
  readonly ifMatch?: Etag | undefined;
  /** Write only if the key is not there. Excludes `ifMatch`. */
  readonly ifAbsent?: boolean | undefined;
  /** Milliseconds until the entry is gone; only where the store declared `expires`. */
  readonly ttlMs?: number | undefined;
}

/** Under which condition an entry is deleted. */
export interface DeleteOptions extends Repeatable {
  readonly ifMatch?: Etag | undefined;
}

export interface ScanOptions extends Waiting {
  /** Only keys that begin with this text. Default: all. */
  readonly prefix?: string | undefined;
  /** Only keys after this one, in byte order of their UTF-8: where the last page ended. */
  readonly after?: string | undefined;
  /** Entries in a page, 1 … 1000. Default 100. */
  readonly limit?: number | undefined;
}

export interface Page<V, E extends Entry<V> = Entry<V>> {
  readonly entries: readonly E[];
  /** Pass as `after` for the next page; `undefined` on the last one. */
  readonly next: string | undefined;
}

/**
 * Keys: 1 … 512 bytes of Unicode text without U+0000 and lone surrogates, compared as UTF-8 bytes.
 *
 * Every method may throw STATE_KEY_INVALID, STATE_VALUE_INVALID, STATE_ENGINE_UNAVAILABLE or
 * CLOSED; what it returns shares no object with the store.
 */
export interface Store<V> {
  get(key: string, options?: Waiting): Promise<V | undefined>;
  getEntry(key: string, options?: Waiting): Promise<Entry<V> | undefined>;
  /** The entries found, in the order of `keys` (at most 1000). */
  getMany(keys: readonly string[], options?: Waiting): Promise<Entry<V>[]>;
  has(key: string, options?: Waiting): Promise<boolean>;
  /** @throws STATE_VERSION_CONFLICT when `ifMatch` or `ifAbsent` does not hold. */
  set(key: string, value: V, options?: WriteOptions): Promise<Etag>;
  /** All or none (at most 1000); etags in the order of `entries`. */
  setMany(
    entries: readonly (readonly [key: string, value: V])[],
    options?: Repeatable & { readonly ttlMs?: number | undefined },
  ): Promise<Etag[]>;
  /** True when something was there. @throws STATE_VERSION_CONFLICT when `ifMatch` does not hold. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;
  /** All or none; how many were there. */
  deleteMany(keys: readonly string[], options?: Repeatable): Promise<number>;
  /** One page in key order. */
  scan(options?: ScanOptions): Promise<Page<V>>;
  /** How many entries there are. A database counts them: not for every request. */
  count(options?: Waiting): Promise<number>;
  /**
   * Reads, changes and writes one key as if alone: `change` may run more than once and must be
   * pure. Keeps an entry's time to live. @throws STATE_UPDATE_CONTENDED after too many conflicts.
   */
  update(key: string, change: (current: V | undefined) => V, options?: Repeatable): Promise<V>;
}

/** A store that declared the capability `revisions`: its entries say how often and when. */
export interface RevisedStore<V> extends Store<V> {
  getEntry(key: string, options?: Waiting): Promise<RevisedEntry<V> | undefined>;
  getMany(keys: readonly string[], options?: Waiting): Promise<RevisedEntry<V>[]>;
  scan(options?: ScanOptions): Promise<Page<V, RevisedEntry<V>>>;
}

/**
 * One store inside a transaction. Reads see what the transaction wrote before; writes wait for its
 * commit. Methods may throw what those of `Store` throw, and CLOSED once the transaction ended.
 */
export interface TransactionStore<V> {
  get(key: string): Promise<V | undefined>;
  has(key: string): Promise<boolean>;
  /** @throws STATE_VALUE_INVALID and its like at once, not at the commit. */
  set(key: string, value: V, options?: { readonly ttlMs?: number | undefined }): void;
  /** Nothing happens where nothing is. */
  delete(key: string): void;
  /** `get`, then `set` with what `change` answers; answers that too. Keeps the time to live. */
  update(key: string, change: (current: V | undefined) => V): Promise<V>;
}

/** A namespace of a service's `scoped` stores: an organisation, a user's application. */
export interface Scope {
  readonly name: string;
  /** Whose it is, in the service's own words: `organisation:42`. */
  readonly owner: string;
  readonly summary: string | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
  /** It is being deleted, or a deletion was cut off: nobody is let in. */
  readonly isGoing: boolean;
}

/** A scope with how much is in it. */
export interface ScopeUsage extends Scope {
  readonly entries: number;
  /** Of each scoped store, by its name. */
  readonly stores: Readonly<Record<string, number>>;
}

export interface ScopeOptions extends Waiting {
  /** 1 … 256 bytes. */
  readonly owner: string;
  /** Up to 1024 bytes. */
  readonly summary?: string | undefined;
}

export interface ScopeQuery extends Waiting {
  /** Only those of this owner. */
  readonly owner?: string | undefined;
  /** Only names after this one, in byte order. */
  readonly after?: string | undefined;
  /** 1 … 1000. Default 100. */
  readonly limit?: number | undefined;
}

export interface ScopePage {
  readonly scopes: readonly Scope[];
  /** Pass as `after` for the next page; `undefined` on the last one. */
  readonly next: string | undefined;
}

/** The scopes of one service. Names are text of 1 … 127 bytes less the service's own name. */
export interface Scopes {
  /**
   * Makes a scope; one of the same owner that is there already is answered.
   * @throws STATE_SCOPE_TAKEN, STATE_SCOPE_GOING, STATE_SCOPE_INVALID
   */
  create(name: string, options: ScopeOptions): Promise<Scope>;
  get(name: string, options?: Waiting): Promise<Scope | undefined>;
  /** By name, in byte order. */
  list(query?: ScopeQuery): Promise<ScopePage>;
  /** Counts what is in it. @throws STATE_SCOPE_UNKNOWN */
  usage(name: string, options?: Waiting): Promise<ScopeUsage>;
  /**
   * Deletes every entry of the scope, then the scope; false when it was not there. A deletion that
   * is cut off leaves a scope that nobody is let into; the next one finishes it. Stores that were
   * handed out before may still be written by who holds them: stop such work first.
   * @throws STATE_SCOPE_FOREIGN when it is not this owner's
   */
  delete(
    name: string,
    options?: Waiting & { readonly owner?: string | undefined },
  ): Promise<boolean>;
}

/** A store that its contract declared as `scoped`: one in each scope. */
export interface ScopedStore<V, S extends Store<V> = Store<V>> {
  /**
   * The store in this scope. Asks the registry each time, so take it once for a call.
   * @throws STATE_SCOPE_UNKNOWN, STATE_SCOPE_GOING, and STATE_SCOPE_FOREIGN when `owner` is given
   *   and it is not the scope's
   */
  in(scope: string, options?: Waiting & { readonly owner?: string | undefined }): Promise<S>;
}
