/**
 * The memory engine: the reference of the law, and the engine of ephemeral stores on one node.
 *
 * What it owns: one map for each store, the order of keys of stores that were scanned, and a heap
 * of what expires. No timer: what is dead is dropped when it is met, and by the writes that follow.
 * What may interrupt it: nothing. Every method runs to its end in one turn, so E4 needs no lock.
 *
 * M1. `#count` is the number of entries in all maps, dead ones included.
 * M2. A kept entry is never changed, only replaced (E6).
 * M3. At most `entriesMax` entries; dead ones make room before a write is refused.
 * M4. The clock is read once for each call: nothing dies in the middle of one.
 */

import type { Etag } from "@banyan/kernel";
import { nextRevision, StateCapability } from "./engine.ts";
import type {
  Condition,
  DeleteOutcome,
  EngineChange,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  EngineWrite,
  StateEngine,
  StateEngineProvider,
  TransactionOutcome,
  WriteOutcome,
} from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { createEtagSource } from "./etags.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import { closedError } from "./failures.ts";
import { compareKeys } from "./keys.ts";
import { MemoryOutbox } from "./memory-outbox.ts";
import { OrderedKeys } from "./ordered-keys.ts";
import { assertKnownOptions, resolveMemoryEngineOptions } from "./options.ts";
import type { MemoryEngineOptions, ResolvedMemoryEngineOptions } from "./options.ts";
import { outboxLoadsOf } from "./outbox-rider.ts";
import type { OutboxLoad } from "./outbox-rider.ts";

const ENGINE_NAME = "memory";
const SWEEP_MAX = 64; // dead entries dropped by one write: it pays for a few, never for all

interface MemoryEntry extends EngineEntry {
  /** Wall clock; `Infinity` without a time to live. */
  readonly expiresAt: number;
  readonly table: MemoryTable;
}

/**
 * What everything shares that lives in this process and is forgotten with it: a memory engine and a
 * memory bus are one medium, so a publish can be committed with a transaction.
 */
export const processMedium: object = Object.freeze({ name: "memory of this process" });

/** The entries of one store. */
class MemoryTable {
  /** Whether the store ever asked for `revisions`; from then on every write is counted. */
  revised = false;
  readonly entries = new Map<string, MemoryEntry>();
  /** Kept from the first scan on: a store that is never scanned pays nothing for its order. */
  order: OrderedKeys | undefined = undefined;
}

/** Opens the memory engine. */
export function openMemoryEngine(options: MemoryEngineOptions = {}): StateEngine {
  return new MemoryEngine(resolveMemoryEngineOptions(options));
}

const memoryCapabilities: ReadonlySet<StateCapability> = new Set([
  StateCapability.Expires,
  StateCapability.Revisions,
  StateCapability.Transaction,
  StateCapability.Outbox,
  StateCapability.Relay,
]);

const CONFLICT = Object.freeze({ kind: "conflict" } as const);
const COMMITTED = Object.freeze({ kind: "committed" } as const);

/** How a host gets it: `engines: { ephemeral: memory }`. */
export const memoryState: StateEngineProvider = Object.freeze({
  name: ENGINE_NAME,
  kinds: Object.freeze({ state: "ephemeral" as const }),
  capabilities: memoryCapabilities,
  openState: ({ clock, options = {} }) =>
    Promise.try(() => {
      assertKnownOptions(options, ["entriesMax"], "The memory engine's configuration");
      return openMemoryEngine({ ...options, clock });
    }),
} satisfies StateEngineProvider);

class MemoryEngine implements StateEngine {
  readonly name = ENGINE_NAME;
  readonly durability = "ephemeral";
  readonly capabilities = memoryCapabilities;
  readonly medium = processMedium;
  readonly outbox: MemoryOutbox;
  readonly #options: ResolvedMemoryEngineOptions;
  readonly #tables = new Map<string, MemoryTable>();
  readonly #tableOf = new WeakMap<EngineStore, MemoryTable>();
  readonly #expiring = new ExpiryHeap<MemoryEntry>();
  readonly #nextEtag: () => Etag;
  #count = 0;
  #closed = false;

  constructor(options: ResolvedMemoryEngineOptions) {
    this.#options = options;
    this.#nextEtag = createEtagSource(options.random);
    const { clock } = options;
    const assertOpen = (): void => this.#assertOpen();
    this.outbox = new MemoryOutbox({ medium: this.medium, clock, assertOpen });
  }

  openStore({ scope, name, capabilities }: EngineStoreSpec): EngineStore {
    this.#assertOpen();
    // JSON keeps the two apart: ("a", "b.c") and ("a.b", "c") are different stores (E1).
    const id = JSON.stringify([scope, name]);
    const table = this.#tables.get(id) ?? new MemoryTable();
    this.#tables.set(id, table);
    if (capabilities.has(StateCapability.Revisions)) table.revised = true;
    const store = this.#storeOn(table);
    this.#tableOf.set(store, table);
    return store;
  }

  transact({ checks, changes, riders }: EngineTransaction): TransactionOutcome {
    let isCommitted = false;
    try {
      this.#assertOpen();
      const left = outboxLoadsOf(riders, { engine: ENGINE_NAME, medium: this.medium });
      const nowMs = this.#options.clock.nowMs();
      for (const { store, key, etag } of checks) {
        if (this.#live(this.#tableFor(store), key, nowMs)?.etag !== etag) return CONFLICT;
      }
      this.#assertOutboxHasRoom(left);
      this.#apply(changes, nowMs);
      this.outbox.add(left);
      isCommitted = true;
      return COMMITTED;
    } finally {
      for (const rider of riders) {
        if (isCommitted) rider.committed();
        else rider.dropped();
      }
    }
  }

  check(): void {
    this.#assertOpen();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#tables.clear();
    this.outbox.clear();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storeOn(table: MemoryTable): EngineStore {
    const { clock } = this.#options;
    return {
      get: (key) => this.#live(table, key),
      getMany: (keys) => {
        this.#assertOpen();
        const nowMs = clock.nowMs();
        return keys.map((key) => this.#live(table, key, nowMs));
      },
      has: (key) => this.#live(table, key) !== undefined,
      set: (write, condition = {}) => this.#set(table, write, condition),
      setMany: (writes) => this.#setMany(table, writes),
      delete: (key, condition = {}) => this.#delete(table, key, condition),
      deleteMany: (keys) => {
        this.#assertOpen();
        const nowMs = clock.nowMs();
        return keys.filter((key) => this.#drop(this.#live(table, key, nowMs))).length;
      },
      scan: (scan) => this.#scan(table, scan),
      count: () => {
        this.#assertOpen();
        const nowMs = clock.nowMs();
        while (this.#dropNextDead(nowMs));
        return table.entries.size;
      },
    };
  }

  /** The table of a store that this engine opened. */
  #tableFor(store: EngineStore): MemoryTable {
    const table = this.#tableOf.get(store);
    if (table !== undefined) return table;
    throw stateErrors.STATE_TRANSACTION_MIXED(
      `A store of another engine was given to a transaction of the ${ENGINE_NAME} engine; a ` +
        `transaction's stores are on one engine.`,
    );
  }

  /** The entry if it is there and not expired (E5); a dead one is dropped on the way. */
  #live(table: MemoryTable, key: string, nowMs?: number): MemoryEntry | undefined {
    this.#assertOpen();
    const entry = table.entries.get(key);
    if (entry === undefined || !this.#isDead(entry, nowMs)) return entry;
    this.#drop(entry);
    return undefined;
  }

  #set(table: MemoryTable, write: EngineWrite, condition: Condition): WriteOutcome {
    const nowMs = this.#options.clock.nowMs();
    const current = this.#live(table, write.key, nowMs);
    if (condition.ifAbsent === true && current !== undefined) return CONFLICT;
    if (condition.ifMatch !== undefined && condition.ifMatch !== current?.etag) return CONFLICT;
    if (current === undefined) this.#makeRoom(1, nowMs);
    return { kind: "written", etag: this.#put(table, write, nowMs) };
  }

  #setMany(table: MemoryTable, writes: readonly EngineWrite[]): readonly Etag[] {
    const nowMs = this.#options.clock.nowMs();
    const added = writes.filter(({ key }) => this.#live(table, key, nowMs) === undefined).length;
    // Before the first write: a batch that does not fit must leave nothing behind (E4).
    this.#makeRoom(added, nowMs);
    return writes.map((write) => this.#put(table, write, nowMs));
  }

  #delete(table: MemoryTable, key: string, { ifMatch }: Condition): DeleteOutcome {
    const current = this.#live(table, key);
    if (ifMatch !== undefined && ifMatch !== current?.etag) return CONFLICT;
    return { kind: "deleted", existed: this.#drop(current) };
  }

  /** All changes of a transaction; what could stand against one is met before the first (E9). */
  #apply(changes: readonly EngineChange[], nowMs: number): void {
    let added = 0;
    const steps = changes.map((change) => {
      const table = this.#tableFor(change.store);
      const key = change.kind === "set" ? change.write.key : change.key;
      const current = this.#live(table, key, nowMs);
      if (change.kind === "set" && current === undefined) added += 1;
      if (change.kind === "delete" && current !== undefined) added -= 1;
      return { change, table, current };
    });
    if (added > 0) this.#makeRoom(added, nowMs);
    for (const { change, table, current } of steps) {
      if (change.kind === "set") this.#put(table, change.write, nowMs);
      else this.#drop(current);
    }
  }

  #scan(table: MemoryTable, { prefix, after, limit }: EngineScan): readonly EngineEntry[] {
    this.#assertOpen();
    const nowMs = this.#options.clock.nowMs();
    table.order ??= new OrderedKeys(table.entries.keys());
    const page: EngineEntry[] = [];
    const isPast = after !== undefined && compareKeys(after, prefix) >= 0;
    // Keys ascend, so those with the prefix stand together, from the prefix itself on.
    for (const key of table.order.from(isPast ? after : prefix)) {
      if (key === after) continue;
      if (!key.startsWith(prefix)) break;
      const entry = table.entries.get(key);
      // Dead ones are left to reads and writes: dropping here would change what is walked.
      if (entry === undefined || this.#isDead(entry, nowMs)) continue;
      page.push(entry);
      if (page.length === limit) break;
    }
    return page;
  }

  #put(table: MemoryTable, write: EngineWrite, nowMs: number): Etag {
    const { key, value, version, expiry } = write;
    const previous = table.entries.get(key);
    const etag = write.etag ?? this.#nextEtag();
    const expiresAt =
      typeof expiry === "number"
        ? nowMs + expiry
        : expiry === "keep"
          ? (previous?.expiresAt ?? Infinity)
          : Infinity;
    const revision = table.revised ? nextRevision(previous, nowMs) : undefined;
    const entry: MemoryEntry = { key, value, etag, version, revision, expiresAt, table };
    table.entries.set(key, entry);
    if (previous === undefined) {
      this.#count += 1;
      table.order?.add(key);
    } else this.#forgetExpiry(previous);
    if (expiresAt !== Infinity) this.#expiring.push(entry);
    this.#sweep(nowMs);
    return etag;
  }

  /** True when there was something to drop. */
  #drop(entry: MemoryEntry | undefined): boolean {
    if (entry === undefined) return false;
    this.#remove(entry);
    this.#forgetExpiry(entry);
    return true;
  }

  #remove(entry: MemoryEntry): void {
    entry.table.entries.delete(entry.key);
    entry.table.order?.delete(entry.key);
    this.#count -= 1;
  }

  #forgetExpiry(entry: MemoryEntry): void {
    if (entry.expiresAt !== Infinity) this.#expiring.discard(isCurrent);
  }

  /** Reads the clock only for what may die: most entries never ask. */
  #isDead(entry: MemoryEntry, nowMs?: number): boolean {
    if (entry.expiresAt === Infinity) return false;
    return (nowMs ?? this.#options.clock.nowMs()) >= entry.expiresAt;
  }

  /** Drops a few of what is dead, so that memory follows the living without a timer. */
  #sweep(nowMs: number): void {
    for (let dropped = 0; dropped < SWEEP_MAX && this.#dropNextDead(nowMs); dropped += 1);
  }

  #dropNextDead(nowMs: number): boolean {
    if (this.#expiring.size === 0 || this.#expiring.nextAt > nowMs) return false;
    const entry = this.#expiring.pop();
    // It has left the heap: counted as stale there, it would have the heap rebuilt for nothing.
    if (entry !== undefined && isCurrent(entry)) this.#remove(entry);
    return true;
  }

  /** @throws STATE_ENTRIES_FULL when the new entries do not fit beside the living. */
  #makeRoom(added: number, nowMs: number): void {
    const { entriesMax } = this.#options;
    while (this.#count + added > entriesMax && this.#dropNextDead(nowMs));
    if (this.#count + added <= entriesMax) return;
    throw stateErrors.STATE_ENTRIES_FULL(
      `The memory engine holds ${this.#count} of at most ${entriesMax} entries and cannot take ` +
        `${added} more; delete some, give them a time to live, or raise entriesMax.`,
      { details: { entries: this.#count, entriesMax } },
    );
  }

  /** Its rows are bounded as the entries are, on their own. */
  #assertOutboxHasRoom(left: readonly OutboxLoad[]): void {
    const added = left.reduce((sum, { loads }) => sum + loads.length, 0);
    const { entriesMax } = this.#options;
    if (added === 0 || this.outbox.size + added <= entriesMax) return;
    throw stateErrors.STATE_ENTRIES_FULL(
      `The outbox of the ${ENGINE_NAME} engine holds ${this.outbox.size} rows, as many as it may; ` +
        "let a relay take them away, or raise entriesMax.",
      { details: { rows: this.outbox.size, entriesMax } },
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError(ENGINE_NAME);
  }
}

function isCurrent(entry: MemoryEntry): boolean {
  return entry.table.entries.get(entry.key) === entry;
}
