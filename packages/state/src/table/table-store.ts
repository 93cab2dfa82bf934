/**
 * One store in a table: reads by statement, writes by the lane, and what is between the two.
 *
 * What it owns: what was handed over and is not answered yet. What may interrupt it: answers,
 * between two turns.
 *
 * S1. A method hands its write over before it first waits, so writes take effect in the order of
 *     the calls (E8).
 * S2. `latest` shows a write only if its condition held by what was known when it was handed over;
 *     where nothing was known it waits for the answer.
 */

import type { Etag, Waiting } from "@banyan/kernel";
import { compareKeys, prefixEnd, showKey } from "../keys.ts";
import type {
  Awaitable,
  Condition,
  DeleteOutcome,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineWrite,
  WriteOutcome,
} from "../engine.ts";
import { nextRevision } from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { abandonable } from "./abandonable.ts";
import { parseRow } from "./parse-row.ts";
import { PendingEntries } from "./pending-entries.ts";
import type { PendingEntry, StandingEntry } from "./pending-entries.ts";
import type { ReadBatches } from "./read-batches.ts";
import { isLive } from "./resolve-group.ts";
import type { TableDatabase, TableRow } from "./table-database.ts";
import type { TableCheck, TableChange, TableOp, TableOutcome } from "./table-op.ts";

/** What a store needs of its engine. */
export interface TableKeeper {
  readonly engine: string;
  readonly database: TableDatabase;
  readonly reads: ReadBatches;
  /** What is over by then is over. @throws CLOSED */
  nowMs(): number;
  /** When what is to live so long may end. @throws CLOSED */
  endMs(lifeMs: number): number;
  nextEtag(): Etag;
  write(op: TableOp, waiting?: Waiting): Promise<TableOutcome>;
  /** A read, its failure by the names of the house. @throws CLOSED */
  ask<T>(read: () => Promise<T>, waiting: Waiting | undefined): Promise<T>;
}

/** A change, what it insists on, and what it will leave behind if it succeeds. */
export interface PlannedChange {
  readonly checks: readonly TableCheck[];
  readonly change: TableChange;
  readonly etag: Etag;
  readonly pending: PendingEntry | undefined;
}

const CONFLICT = Object.freeze({ kind: "conflict" } as const);
const ABSENT: StandingEntry = Object.freeze({ entry: undefined, expiresAt: null });

export class TableStore implements EngineStore {
  readonly id: number;
  readonly #keeper: TableKeeper;
  readonly #pending = new PendingEntries();
  #isRevised = false;
  #mayExpire = false;

  constructor(id: number, keeper: TableKeeper) {
    this.id = id;
    this.#keeper = keeper;
  }

  /** What any of its views asked for, all of them get. */
  demand({ revisions, expires }: { readonly revisions: boolean; readonly expires: boolean }): void {
    if (expires) this.#mayExpire = true;
    if (revisions) this.#isRevised = true;
  }

  latest(key: string, options?: Waiting): Awaitable<EngineEntry | undefined> {
    const now = this.#keeper.nowMs();
    const pending = this.#pending.get(key);
    if (pending?.kind === "known") return living(pending, now)?.entry;
    return this.#lookForLatest(key, options);
  }

  async get(key: string, options?: Waiting): Promise<EngineEntry | undefined> {
    const row = await this.#read(key, options);
    return row === undefined || !isLive(row, this.#keeper.nowMs()) ? undefined : this.#parse(row);
  }

  async getMany(
    keys: readonly string[],
    options?: Waiting,
  ): Promise<readonly (EngineEntry | undefined)[]> {
    const { database } = this.#keeper;
    const asked = [...new Set(keys)].map((key) => ({ store: this.id, key }));
    if (asked.length === 0) return [];
    const rows = await this.#keeper.ask(() => database.read(asked), options);
    const now = this.#keeper.nowMs();
    const alive = rows.filter((row) => isLive(row, now));
    const found = new Map(alive.map((row) => [row.key, this.#parse(row)]));
    return keys.map((key) => found.get(key));
  }

  async has(key: string, options?: Waiting): Promise<boolean> {
    return isLive(await this.#read(key, options), this.#keeper.nowMs());
  }

  async set(write: EngineWrite, condition: Condition = {}): Promise<WriteOutcome> {
    const now = this.#keeper.nowMs();
    const planned = this.planSet(write, now, condition);
    const outcome = await this.#write([planned], now, condition);
    return outcome.kind === "conflict" ? CONFLICT : { kind: "written", etag: planned.etag };
  }

  async setMany(writes: readonly EngineWrite[], options?: Waiting): Promise<readonly Etag[]> {
    const now = this.#keeper.nowMs();
    const planned = writes.map((write) => this.planSet(write, now));
    if (planned.length > 0) await this.#write(planned, now, options);
    return planned.map(({ etag }) => etag);
  }

  async delete(key: string, condition: Condition = {}): Promise<DeleteOutcome> {
    const now = this.#keeper.nowMs();
    const planned = this.planDelete(key, now, condition);
    const outcome = await this.#write([planned], now, condition);
    return outcome.kind === "conflict"
      ? CONFLICT
      : { kind: "deleted", existed: outcome.existed > 0 };
  }

  async deleteMany(keys: readonly string[], options?: Waiting): Promise<number> {
    const now = this.#keeper.nowMs();
    const planned = keys.map((key) => this.planDelete(key, now));
    if (planned.length === 0) return 0;
    const outcome = await this.#write(planned, now, options);
    return outcome.kind === "done" ? outcome.existed : 0;
  }

  async scan(
    { prefix, after = "", limit }: EngineScan,
    options?: Waiting,
  ): Promise<readonly EngineEntry[]> {
    const { database } = this.#keeper;
    const from = compareKeys(after, prefix) > 0 ? after : prefix;
    const now = this.#keeper.nowMs();
    const scan = { store: this.id, from, after, end: prefixEnd(prefix), now, limit };
    const rows = await this.#keeper.ask(() => database.scan(scan), options);
    return rows.map((row) => this.#parse(row));
  }

  async count(options?: Waiting): Promise<number> {
    const { database } = this.#keeper;
    const now = this.#keeper.nowMs();
    return this.#keeper.ask(() => database.count(this.id, now), options);
  }

  /** Nothing is handed over yet. @throws STATE_VALUE_TOO_LARGE where the server takes no such */
  planSet(write: EngineWrite, now: number, condition: Condition = {}): PlannedChange {
    const { key, value, version, expiry } = write;
    const text = JSON.stringify(value);
    this.#assertFits(key, text);
    const etag = write.etag ?? this.#keeper.nextEtag();
    // Whole milliseconds are what the column takes.
    const expiresAt = typeof expiry === "number" ? Math.ceil(this.#keeper.endMs(expiry)) : null;
    const stored = expiry === "keep" ? "keep" : expiresAt;
    const change: TableChange = {
      kind: "set",
      store: this.id,
      key,
      value: text,
      etag,
      version,
      expiresAt: stored,
      isRevised: this.#isRevised,
    };
    const checks = this.#checksOf(key, condition);
    const keeps = stored === "keep" && this.#mayExpire;
    const standing = this.#pending.standing(key);
    if (standing === undefined && (checks.length > 0 || keeps || this.#isRevised)) {
      return { checks, change, etag, pending: openEntry(key) };
    }
    const before = living(standing, now);
    if (!holds(checks, before)) return { checks, change, etag, pending: undefined };
    const revision = this.#isRevised ? nextRevision(before?.entry, now) : undefined;
    const entry: EngineEntry = { key, value, etag, version, ...(revision && { revision }) };
    const kept = keeps ? (before?.expiresAt ?? null) : expiresAt;
    return { checks, change, etag, pending: { kind: "known", key, entry, expiresAt: kept } };
  }

  /** Nothing is handed over yet. */
  planDelete(key: string, now: number, condition: Condition = {}): PlannedChange {
    const change = { kind: "delete", store: this.id, key } as const;
    const checks = this.#checksOf(key, condition);
    const standing = this.#pending.standing(key);
    if (standing === undefined && checks.length > 0) {
      return { checks, change, etag: "", pending: openEntry(key) };
    }
    const isPending = holds(checks, living(standing, now));
    const pending: PendingEntry = { kind: "known", key, ...ABSENT };
    return { checks, change, etag: "", pending: isPending ? pending : undefined };
  }

  /** From here on `latest` sees them. */
  handOver({ pending }: PlannedChange): void {
    if (pending !== undefined) this.#pending.add(pending);
  }

  /** The answer is there: the table knows, or it failed. */
  settle({ pending }: PlannedChange): void {
    if (pending !== undefined) this.#pending.remove(pending);
  }

  async #write(
    planned: readonly PlannedChange[],
    now: number,
    waiting?: Waiting,
  ): Promise<TableOutcome> {
    const checks = planned.flatMap((each) => each.checks);
    const changes = planned.map(({ change }) => change);
    for (const each of planned) this.handOver(each);
    try {
      return await this.#keeper.write({ now, checks, changes }, waiting);
    } finally {
      for (const each of planned) this.settle(each);
    }
  }

  async #lookForLatest(key: string, options?: Waiting): Promise<EngineEntry | undefined> {
    for (;;) {
      const pending = this.#pending.get(key);
      if (pending?.kind === "known") return living(pending, this.#keeper.nowMs())?.entry;
      if (pending?.kind === "open") {
        await abandonable(pending.answered.promise, options);
        continue;
      }
      const row = await this.#read(key, options);
      // Whatever was handed over meanwhile is newer than what was read.
      if (this.#pending.get(key) !== undefined) continue;
      const standing =
        row === undefined ? ABSENT : { entry: this.#parse(row), expiresAt: row.expiresAt };
      this.#pending.noteRead(key, standing);
      return living(standing, this.#keeper.nowMs())?.entry;
    }
  }

  #read(key: string, options?: Waiting): Promise<TableRow | undefined> {
    const { reads } = this.#keeper;
    return this.#keeper.ask(() => reads.read({ store: this.id, key }, options), options);
  }

  #checksOf(key: string, { ifMatch, ifAbsent }: Condition): readonly TableCheck[] {
    if (ifMatch !== undefined) return [{ store: this.id, key, etag: ifMatch }];
    return ifAbsent === true ? [{ store: this.id, key, etag: undefined }] : [];
  }

  #parse(row: TableRow): EngineEntry {
    return parseRow(row, { isRevised: this.#isRevised, engine: this.#keeper.engine });
  }

  #assertFits(key: string, text: string): void {
    const { engine, database } = this.#keeper;
    const bytesMax = database.valueBytesMax;
    if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return;
    throw stateErrors.STATE_VALUE_TOO_LARGE(
      `The value for key ${showKey(key)} is larger than the ${bytesMax} bytes that the server of ` +
        `the engine ${engine} takes; store less, or let the server take more.`,
      { details: { engine, key, bytesMax } },
    );
  }
}

function openEntry(key: string): PendingEntry {
  return { kind: "open", key, answered: Promise.withResolvers() };
}

function living(standing: StandingEntry | undefined, now: number): StandingEntry | undefined {
  if (standing?.entry === undefined) return undefined;
  return isLive(standing, now) ? standing : undefined;
}

function holds(checks: readonly TableCheck[], before: StandingEntry | undefined): boolean {
  return checks.every(({ etag }) => etag === before?.entry?.etag);
}
