/**
 * One store in a database file: reads here, writes as ops for the writer thread.
 *
 * What it owns: what was handed over and is not answered yet. What may interrupt it: the answers
 * of the writer thread, between two turns.
 *
 * S1. A method hands its write over before it first waits, so writes take effect in the order of
 *     the calls (E8).
 * S2. The time is read once for each call; the file has none of its own.
 * S3. `latest` shows a write only if its condition held when it was handed over.
 */

import type { Clock, Etag, Revision } from "@banyan/kernel";
import { compareKeys, prefixEnd } from "@banyan/state";
import type {
  Awaitable,
  Condition,
  DeleteOutcome,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineWrite,
  WriteOutcome,
} from "@banyan/state";
import { sqliteErrors, storeFailure } from "./errors.ts";
import { PendingEntries } from "./pending-entries.ts";
import type { PendingEntry } from "./pending-entries.ts";
import type { SqliteFile, SqlRow, SqlValue } from "./sqlite-file.ts";
import type { StateDelete, StateSet, StoredCondition } from "./state-ops.ts";
import { plainReads, reads, revisedReads } from "./state-sql.ts";
import type { ReadSql } from "./state-sql.ts";
import type { WriteOp } from "./write-op.ts";

const HERE_MAX = 128; // rows read on the calling thread: a page of 100, well below a millisecond

/** What a store needs from its engine. */
export interface StoreKeeper {
  readonly clock: Clock;
  readonly nextEtag: () => Etag;
  /** The file. @throws CLOSED */
  open(): SqliteFile;
}

/** A write and what it will leave behind, if it succeeds. */
export interface PlannedWrite<Op extends WriteOp> {
  readonly op: Op;
  readonly pending: PendingEntry | undefined;
}

export class SqliteStore implements EngineStore {
  readonly #id: number;
  readonly #keeper: StoreKeeper;
  readonly #pending = new PendingEntries();
  #reads: ReadSql = plainReads;
  #isRevised = false;
  #mayExpire = false;
  /** The last answer of `latest` from the file, until anything is handed over or answered. */
  #lastRead: PendingEntry | undefined = undefined;

  constructor(id: number, keeper: StoreKeeper) {
    this.#id = id;
    this.#keeper = keeper;
  }

  get id(): number {
    return this.#id;
  }

  /** What any of its views asked for, all of them get. */
  ask({ revisions, expires }: { readonly revisions: boolean; readonly expires: boolean }): void {
    if (expires) this.#mayExpire = true;
    if (!revisions) return;
    this.#isRevised = true;
    this.#reads = revisedReads;
  }

  latest(key: string): EngineEntry | undefined {
    const standing = this.#standing(key, this.#keeper.clock.nowMs());
    this.#lastRead = standing;
    return standing?.entry;
  }

  get(key: string): EngineEntry | undefined {
    const { clock } = this.#keeper;
    const row = this.#file().get(this.#reads.get, this.#id, key, clock.nowMs());
    return row === undefined ? undefined : this.#parse(row);
  }

  getMany(keys: readonly string[]): Awaitable<readonly (EngineEntry | undefined)[]> {
    const values = [this.#id, JSON.stringify(keys), this.#keeper.clock.nowMs()];
    const parse = (rows: readonly SqlRow[]): readonly (EngineEntry | undefined)[] => {
      const found = new Map(rows.map((row) => [row[0], row]));
      return keys.map((key) => {
        const row = found.get(key);
        return row === undefined ? undefined : this.#parse(row);
      });
    };
    return this.#rows(this.#reads.getMany, values, { limit: keys.length, parse });
  }

  has(key: string): boolean {
    return this.#file().get(reads.has, this.#id, key, this.#keeper.clock.nowMs()) !== undefined;
  }

  async set(write: EngineWrite, condition: Condition = {}): Promise<WriteOutcome> {
    const { op, pending } = this.planSet(write, this.#keeper.clock.nowMs(), condition);
    // Not by `#write`: that would cost the hottest of the writes a promise more.
    if (pending !== undefined) this.handOver(pending);
    let changed: unknown;
    try {
      changed = await this.#file().write(op);
    } catch (error) {
      throw storeFailure(error);
    } finally {
      if (pending !== undefined) this.settle(pending);
    }
    return changed === 0 ? { kind: "conflict" } : { kind: "written", etag: op[6] };
  }

  async setMany(writes: readonly EngineWrite[]): Promise<readonly Etag[]> {
    const now = this.#keeper.clock.nowMs();
    const planned = writes.map((write) => this.planSet(write, now));
    const ops = planned.map(({ op }) => op);
    await this.#write(
      ["stateBatch", ops],
      planned.flatMap(({ pending }) => pending ?? []),
    );
    return ops.map((op) => op[6]);
  }

  async delete(key: string, condition: Condition = {}): Promise<DeleteOutcome> {
    const { op, pending } = this.planDelete(key, this.#keeper.clock.nowMs(), condition);
    const changed = await this.#write(op, pending === undefined ? [] : [pending]);
    if (changed === 0 && condition.ifMatch !== undefined) return { kind: "conflict" };
    return { kind: "deleted", existed: changed !== 0 };
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    const now = this.#keeper.clock.nowMs();
    const op = ["stateDeleteMany", this.#id, now, JSON.stringify(keys)] as const;
    return Number(await this.#write(op, keys.map(deletedEntry)));
  }

  scan({ prefix, after = "", limit }: EngineScan): Awaitable<readonly EngineEntry[]> {
    const from = compareKeys(after, prefix) > 0 ? after : prefix;
    const end = prefixEnd(prefix);
    const now = this.#keeper.clock.nowMs();
    const parse = (rows: readonly SqlRow[]): readonly EngineEntry[] =>
      rows.map((row) => this.#parse(row));
    if (end === undefined) {
      return this.#rows(this.#reads.scan, [this.#id, from, after, now, limit], { limit, parse });
    }
    const values = [this.#id, from, end, after, now, limit];
    return this.#rows(this.#reads.scanTo, values, { limit, parse });
  }

  /** It walks the store, so never on the calling thread. */
  async count(): Promise<number> {
    const values = [this.#id, this.#keeper.clock.nowMs()];
    const [row] = await this.#file().allAside(reads.count, ...values);
    return Number(row?.[0]);
  }

  /** A set as an op, and what it leaves behind; nothing is handed over yet. */
  planSet(write: EngineWrite, now: number, condition: Condition = {}): PlannedWrite<StateSet> {
    const { key, value, version, expiry } = write;
    const { ifMatch, ifAbsent = false } = condition;
    const etag = write.etag ?? this.#keeper.nextEtag();
    // Whole milliseconds are what the column takes.
    const expiresAt = typeof expiry === "number" ? Math.ceil(now + expiry) : null;
    const stored: StoredCondition =
      ifMatch !== undefined ? `=${ifMatch}` : ifAbsent ? "absent" : "";
    const op = [
      "stateSet",
      this.#id,
      this.#isRevised,
      now,
      key,
      JSON.stringify(value),
      etag,
      version,
      expiry === "keep" ? "keep" : expiresAt,
      stored,
    ] as const;
    const keeps = expiry === "keep" && this.#mayExpire;
    const needsBefore = stored !== "" || keeps || this.#isRevised;
    const before = needsBefore ? this.#before(key, now) : undefined;
    if (!holds(stored, before)) return { op, pending: undefined };
    const revision = this.#isRevised ? nextRevision(before?.entry?.revision, now) : undefined;
    const entry: EngineEntry = { key, value, etag, version, ...(revision && { revision }) };
    const keptExpiry = keeps ? (before?.expiresAt ?? Infinity) : Infinity;
    return { op, pending: { key, entry, expiresAt: expiresAt ?? keptExpiry } };
  }

  /** A delete as an op, and what it leaves behind; nothing is handed over yet. */
  planDelete(key: string, now: number, condition: Condition = {}): PlannedWrite<StateDelete> {
    const { ifMatch } = condition;
    const stored: StoredCondition = ifMatch === undefined ? "" : `=${ifMatch}`;
    const op = ["stateDelete", this.#id, now, key, stored] as const;
    const isPending = stored === "" || holds(stored, this.#before(key, now));
    return { op, pending: isPending ? deletedEntry(key) : undefined };
  }

  /** From here on `latest` sees them. */
  handOver(pending: PendingEntry): void {
    this.#lastRead = undefined;
    this.#pending.add(pending);
  }

  /** The answer is there: the file knows, or it failed. */
  settle(pending: PendingEntry): void {
    this.#lastRead = undefined;
    this.#pending.remove(pending);
  }

  async #write(op: WriteOp, pending: readonly PendingEntry[]): Promise<unknown> {
    for (const each of pending) this.handOver(each);
    try {
      return await this.#file().write(op);
    } catch (error) {
      throw storeFailure(error);
    } finally {
      for (const each of pending) this.settle(each);
    }
  }

  /** The live entry as the next write will find it. */
  #standing(key: string, now: number): PendingEntry | undefined {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return isLive(pending, now) ? pending : undefined;
    const row = this.#file().get(this.#reads.latest, this.#id, key, now);
    if (row === undefined) return undefined;
    const expiresAt = row.at(-1);
    const entry = this.#parse(row);
    return { key, entry, expiresAt: typeof expiresAt === "number" ? expiresAt : Infinity };
  }

  /** The same for a write that is about to be made: what `latest` just read is read once. */
  #before(key: string, now: number): PendingEntry | undefined {
    const last = this.#lastRead;
    if (last?.key === key && this.#pending.get(key) === undefined) {
      return isLive(last, now) ? last : undefined;
    }
    return this.#standing(key, now);
  }

  /** A page that is short is read here, a longer one beside the event loop. */
  #rows<R>(
    sql: string,
    values: readonly SqlValue[],
    { limit, parse }: { readonly limit: number; readonly parse: (rows: readonly SqlRow[]) => R },
  ): Awaitable<R> {
    if (limit <= HERE_MAX) return parse(this.#file().all(sql, ...values));
    return this.#file()
      .allAside(sql, ...values)
      .then(parse);
  }

  #parse(row: SqlRow): EngineEntry {
    // STRICT columns: the types are the table's.
    const [key, text, etag, version] = row as StoredRow;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw this.#unreadable(key, cause);
    }
    if (!this.#isRevised) return { key, value, etag, version };
    // As above.
    const [, , , , revision, createdAtMs, updatedAtMs] = row as RevisedRow;
    return {
      key,
      value,
      etag,
      version,
      // Written before the store asked for revisions: nobody counted, nobody looked at the clock.
      revision: {
        revision: revision ?? 1,
        createdAtMs: createdAtMs ?? 0,
        updatedAtMs: updatedAtMs ?? 0,
      },
    };
  }

  #unreadable(key: string, cause: unknown): Error {
    const { path } = this.#file();
    return sqliteErrors.SQLITE_FILE_CORRUPT(
      `The database file ${path} holds a value that is no JSON, at key ` +
        `${JSON.stringify(key.slice(0, 80))}; restore it from a backup.`,
      { details: { file: path }, cause },
    );
  }

  #file(): SqliteFile {
    return this.#keeper.open();
  }
}

type StoredRow = readonly [key: string, value: string, etag: string, version: number];
type RevisedRow = readonly [
  ...StoredRow,
  revision: number | null,
  createdAt: number | null,
  updatedAt: number | null,
];

function deletedEntry(key: string): PendingEntry {
  return { key, entry: undefined, expiresAt: Infinity };
}

function isLive({ entry, expiresAt }: PendingEntry, now: number): boolean {
  return entry !== undefined && now < expiresAt;
}

function holds(condition: StoredCondition, before: PendingEntry | undefined): boolean {
  if (condition === "") return true;
  if (condition === "absent") return before === undefined;
  return before?.entry?.etag === condition.slice(1);
}

function nextRevision(before: Revision | undefined, now: number): Revision {
  return {
    revision: (before?.revision ?? 0) + 1,
    createdAtMs: before?.createdAtMs ?? now,
    updatedAtMs: now,
  };
}
