/**
 * An honest engine that answers late: the memory of a writer thread without the thread. Writes are
 * queued in the order in which they were handed over and done together in a later turn; reads see
 * what is done, `latest` what is handed over as well. Liars about pending writes are made of it,
 * and tests that need an engine whose writes wait, or fail where they choose.
 *
 * L1. An etag is given at the hand-over, so that the next write can name it before it is there.
 * L2. `handed` has the last write of each key that is still in the queue, if its conditions held.
 */

import type { Clock, Etag } from "@banyan/kernel";
import { nextRevision, StateCapability } from "../engine.ts";
import type {
  CommitRider,
  DeleteOutcome,
  EngineEntry,
  EngineStore,
  EngineTransaction,
  EngineWrite,
  StateEngine,
  TransactionOutcome,
  WriteOutcome,
} from "../engine.ts";
import { createEtagSource } from "../etags.ts";
import { closedError } from "../failures.ts";
import { stateErrors } from "../errors.ts";
import { compareKeys } from "../keys.ts";
import { processMedium } from "../memory.ts";

export interface LateEngineOptions {
  readonly clock: Clock;
  /** What the n-th write fails with, from 0; `undefined`: it is done. */
  readonly failureOf?: (write: number) => Error | undefined;
  /** Called before each group of writes is done. */
  readonly onGroup?: (writes: number) => void;
}

interface LateEntry extends EngineEntry {
  readonly expiresAt: number;
}

interface Change {
  readonly table: Table;
  readonly key: string;
  /** `undefined` deletes. */
  readonly write: EngineWrite | undefined;
  readonly etag: Etag;
}

interface Check {
  readonly table: Table;
  readonly key: string;
  readonly etag: Etag | undefined;
}

/** Anything handed over: all of it or none. `existed` counts the changed keys that were there. */
interface Handed {
  readonly checks: readonly Check[];
  readonly changes: readonly Change[];
  readonly riders: readonly CommitRider[];
  readonly answer: (outcome: { readonly isDone: boolean; readonly existed: number }) => void;
  readonly fail: (error: Error) => void;
}

interface HandedEntry {
  readonly by: Handed;
  /** `undefined`: it will be gone. */
  readonly entry: LateEntry | undefined;
}

interface Table {
  readonly isRevised: boolean;
  readonly done: Map<string, LateEntry>;
  readonly handed: Map<string, HandedEntry>;
}

const capabilities: ReadonlySet<StateCapability> = new Set([
  StateCapability.Expires,
  StateCapability.Revisions,
  StateCapability.Transaction,
  StateCapability.Outbox,
]);

/** Opens the late engine. */
export function openLateEngine(options: LateEngineOptions): StateEngine {
  return new LateEngine(options);
}

class LateEngine implements StateEngine {
  readonly name = "late";
  readonly durability = "ephemeral";
  readonly capabilities = capabilities;
  readonly medium = processMedium;
  readonly #options: LateEngineOptions;
  readonly #tables = new Map<string, Table>();
  readonly #tableOf = new WeakMap<EngineStore, Table>();
  readonly #nextEtag = createEtagSource();
  #queue: Handed[] = [];
  #writes = 0;
  #drained: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LateEngineOptions) {
    this.#options = options;
  }

  openStore(spec: Parameters<StateEngine["openStore"]>[0]): EngineStore {
    this.#assertOpen();
    const id = JSON.stringify([spec.scope, spec.name]);
    const isRevised = spec.capabilities.has(StateCapability.Revisions);
    const known = this.#tables.get(id);
    const table: Table = {
      done: known?.done ?? new Map<string, LateEntry>(),
      handed: known?.handed ?? new Map<string, HandedEntry>(),
      isRevised,
    };
    this.#tables.set(id, table);
    const store = this.#storeOn(table);
    this.#tableOf.set(store, table);
    return store;
  }

  async transact(transaction: EngineTransaction): Promise<TransactionOutcome> {
    const { riders } = transaction;
    try {
      this.#assertOpen();
      if (riders.some(({ medium }) => medium !== this.medium)) {
        throw stateErrors.STATE_RIDER_FOREIGN("A rider of another medium than the late engine's.");
      }
      const checks = transaction.checks.map((check) => ({
        ...check,
        table: this.#tableFor(check.store),
      }));
      const changes = transaction.changes.map((change) =>
        change.kind === "set"
          ? this.#change(this.#tableFor(change.store), change.write.key, change.write)
          : this.#change(this.#tableFor(change.store), change.key, undefined),
      );
      const { isDone } = await this.#hand({ checks, changes, riders });
      for (const rider of isDone ? riders : []) rider.committed();
      for (const rider of isDone ? [] : riders) rider.dropped();
      return { kind: isDone ? "committed" : "conflict" };
    } catch (error) {
      for (const rider of riders) rider.dropped();
      throw error;
    }
  }

  check(): void {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#drained;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storeOn(table: Table): EngineStore {
    const conditionOf = (key: string, etag: Etag | undefined): Check => ({ table, key, etag });
    return {
      get: (key) => this.#done(table, key),
      latest: (key) => this.#latest(table, key),
      getMany: (keys) => keys.map((key) => this.#done(table, key)),
      has: (key) => this.#done(table, key) !== undefined,
      set: async (write, { ifMatch, ifAbsent } = {}): Promise<WriteOutcome> => {
        const change = this.#change(table, write.key, write);
        const isFree = ifMatch === undefined && ifAbsent !== true;
        const checks = isFree ? [] : [conditionOf(write.key, ifMatch)];
        const { isDone } = await this.#hand({ checks, changes: [change], riders: [] });
        return isDone ? { kind: "written", etag: change.etag } : { kind: "conflict" };
      },
      setMany: async (writes) => {
        const changes = writes.map((write) => this.#change(table, write.key, write));
        await this.#hand({ checks: [], changes, riders: [] });
        return changes.map(({ etag }) => etag);
      },
      delete: async (key, { ifMatch } = {}): Promise<DeleteOutcome> => {
        const checks = ifMatch === undefined ? [] : [conditionOf(key, ifMatch)];
        const changes = [this.#change(table, key, undefined)];
        const { isDone, existed } = await this.#hand({ checks, changes, riders: [] });
        return isDone ? { kind: "deleted", existed: existed > 0 } : { kind: "conflict" };
      },
      deleteMany: async (keys) => {
        const changes = keys.map((key) => this.#change(table, key, undefined));
        return (await this.#hand({ checks: [], changes, riders: [] })).existed;
      },
      scan: ({ prefix, after, limit }) => {
        this.#assertOpen();
        const keys = [...table.done.keys()].filter(
          (key) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0),
        );
        const entries = keys.sort(compareKeys).map((key) => this.#done(table, key));
        return entries.filter((entry) => entry !== undefined).slice(0, limit);
      },
      count: () => {
        this.#assertOpen();
        return [...table.done.keys()].filter((key) => this.#done(table, key) !== undefined).length;
      },
    };
  }

  #change(table: Table, key: string, write: EngineWrite | undefined): Change {
    return { table, key, write, etag: write?.etag ?? this.#nextEtag() };
  }

  #tableFor(store: EngineStore): Table {
    const table = this.#tableOf.get(store);
    if (table !== undefined) return table;
    throw stateErrors.STATE_TRANSACTION_MIXED("A store of another engine than the late one.");
  }

  #living(entry: LateEntry | undefined): LateEntry | undefined {
    const isDead = entry !== undefined && this.#options.clock.nowMs() >= entry.expiresAt;
    return isDead ? undefined : entry;
  }

  #done(table: Table, key: string): LateEntry | undefined {
    this.#assertOpen();
    return this.#living(table.done.get(key));
  }

  #latest(table: Table, key: string): LateEntry | undefined {
    this.#assertOpen();
    const handed = table.handed.get(key);
    return handed === undefined ? this.#done(table, key) : this.#living(handed.entry);
  }

  #hand(
    work: Pick<Handed, "checks" | "changes" | "riders">,
  ): Promise<{ readonly isDone: boolean; readonly existed: number }> {
    this.#assertOpen();
    return new Promise((answer, fail) => {
      const handed: Handed = { ...work, answer, fail };
      const holds = work.checks.every(
        ({ table, key, etag }) => this.#latest(table, key)?.etag === etag,
      );
      for (const change of holds ? work.changes : []) {
        const entry = this.#entryOf(change, this.#latest(change.table, change.key));
        change.table.handed.set(change.key, { by: handed, entry });
      }
      if (this.#queue.length === 0) {
        this.#drained = new Promise((resolve) => {
          setImmediate(() => {
            this.#drain();
            resolve();
          });
        });
      }
      this.#queue.push(handed);
    });
  }

  #drain(): void {
    const group = this.#queue;
    this.#queue = [];
    this.#options.onGroup?.(group.length);
    for (const handed of group) {
      const failure = this.#options.failureOf?.(this.#writes);
      this.#writes += 1;
      if (failure === undefined) this.#do(handed);
      else handed.fail(failure);
      for (const { table, key } of handed.changes) {
        if (table.handed.get(key)?.by === handed) table.handed.delete(key);
      }
    }
  }

  #do({ checks, changes, answer }: Handed): void {
    const isDone = checks.every(
      ({ table, key, etag }) => this.#living(table.done.get(key))?.etag === etag,
    );
    let existed = 0;
    for (const change of isDone ? changes : []) {
      const { table, key } = change;
      const previous = this.#living(table.done.get(key));
      if (previous !== undefined) existed += 1;
      const entry = this.#entryOf(change, previous);
      if (entry === undefined) table.done.delete(key);
      else table.done.set(key, entry);
    }
    answer({ isDone, existed });
  }

  #entryOf({ table, write, etag }: Change, previous: LateEntry | undefined): LateEntry | undefined {
    if (write === undefined) return undefined;
    const { key, value, version, expiry } = write;
    const nowMs = this.#options.clock.nowMs();
    const kept = expiry === "keep" ? (previous?.expiresAt ?? Infinity) : Infinity;
    const expiresAt = typeof expiry === "number" ? nowMs + expiry : kept;
    const revision = table.isRevised ? nextRevision(previous, nowMs) : undefined;
    return { key, value, etag, version, revision, expiresAt };
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError(this.name);
  }
}
