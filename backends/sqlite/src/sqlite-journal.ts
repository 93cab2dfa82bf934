/**
 * The bus's journal in a database file.
 *
 * What it owns: the rows of the bus in the file, one share of the file. What may interrupt it: the
 * answers of the writer thread, between two turns.
 *
 * B1. Everything is handed to the file in the order in which it came, a turn's acknowledgements
 *     before what came after them (J1): `bus-writes.ts` sees to that.
 * B2. A page is bounded in bytes too, so that large bodies do not hold up the event loop.
 * B3. A group that is removed is gone at once; its rows go in bites, then or after the next start.
 * B4. A sweep looks at the front of a queue, where the old ones are, and at some rows further on,
 *     other ones each time: one that is old behind a young one is found later, at no great cost.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "@banyan/kernel";
import type { Clock, Log } from "@banyan/kernel";
import type { DeadLetter, DeadLetterPage, DeadLetterQuery } from "@banyan/messaging";
import type {
  BusJournal,
  JournalAppend,
  JournalEntry,
  JournalGroup,
  JournalProgress,
  JournalWoken,
} from "@banyan/messaging/internal";
import { busFailure } from "./bus-failure.ts";
import type { AppendOp, BusOp, Expired, Place } from "./bus-ops.ts";
import {
  letterColumns,
  letterFromRow,
  letterToRow,
  messageColumns,
  MessageRows,
} from "./bus-rows.ts";
import { readBusStanding } from "./bus-standing.ts";
import type { BusStanding } from "./bus-standing.ts";
import { BusWrites } from "./bus-writes.ts";
import { sqliteErrors } from "./errors.ts";
import type { SqliteFile, SqlRow, SqlValue } from "./sqlite-file.ts";

const PAGE_BYTES_MAX = 1024 * 1024; // some 5 ms to read and parse
const ROWS_HERE_MAX = 512; // a page with more is read by the reader thread
const CLEARED_AT_ONCE = 2000;
const EXPIRY_ROWS = 5000; // looked at beyond the front: some milliseconds of the writer thread

interface PageSql {
  readonly sizes: string;
  readonly rows: string;
}

const queuePage = pageSql("bus_queue", {
  columns: `${messageColumns}, seq, attempt, failures, retry_at, expires_at`,
  where: "group_id = ? AND seq > ? ORDER BY seq LIMIT ?",
});
const letterRow = `${letterColumns}, ${messageColumns}`;
const letterPage = pageSql("bus_dead_letters", {
  columns: letterRow,
  where: "id > ? ORDER BY id LIMIT ?",
});
const letterPageOf = pageSql("bus_dead_letters", {
  columns: letterRow,
  where: "subscription = ? AND id > ? ORDER BY id LIMIT ?",
});
const letterSql = `SELECT ${letterRow} FROM bus_dead_letters WHERE id = ?`;
const nextWakeSql = "SELECT due_at FROM bus_delayed ORDER BY due_at LIMIT 1";

export interface SqliteJournalOptions {
  /** One share of it is the journal's from now on, also when opening fails. */
  readonly file: SqliteFile;
  readonly log: Log;
  /** For the time of a redrive and for tries after failures. Default: the real clock. */
  readonly clock?: Clock | undefined;
}

/** Media of open journals: a bus has its journal for itself. */
const taken = new WeakSet<object>();

/**
 * Opens the journal of the bus in the file.
 * @throws SQLITE_BUS_OPEN while another bus of this process has it; MESSAGING_UNAVAILABLE
 */
export async function openSqliteJournal(options: SqliteJournalOptions): Promise<BusJournal> {
  const { file } = options;
  if (taken.has(file.medium)) {
    await file.close();
    throw sqliteErrors.SQLITE_BUS_OPEN(
      `The bus in ${file.path} is open in this process already; use that one, or give the second ` +
        `bus a file of its own.`,
      { details: { file: file.path } },
    );
  }
  taken.add(file.medium);
  try {
    return new SqliteJournal(options, await readBusStanding(file));
  } catch (error) {
    taken.delete(file.medium);
    await file.close();
    throw busFailure(error, file.path);
  }
}

class SqliteJournal implements BusJournal {
  readonly medium: object;
  readonly groups: readonly JournalGroup[];
  readonly nextSeq: number;
  readonly deadLetterCount: number;
  readonly #file: SqliteFile;
  readonly #log: Log;
  readonly #rows = new MessageRows();
  /** As they stand in the file, so that opening a known group needs no write. */
  readonly #known = new Map<string, Pick<JournalGroup, "id" | "topic" | "retentionMs">>();
  readonly #clock: Clock;
  readonly #writes: BusWrites;
  /** Where the next sweep of a group goes on beyond its front (B4). */
  readonly #sweptTo = new Map<number, number>();
  #clearing: Promise<void>;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: SqliteJournalOptions, standing: BusStanding) {
    const { file, log, clock = systemClock } = options;
    this.medium = file.medium;
    this.groups = standing.groups;
    this.nextSeq = standing.nextSeq;
    this.deadLetterCount = standing.deadLetterCount;
    this.#file = file;
    this.#log = log;
    this.#clock = clock;
    this.#writes = new BusWrites(file, clock);
    for (const group of standing.groups) this.#known.set(group.name, group);
    this.#clearing = this.#clear(standing.remains);
  }

  async openGroup(group: {
    readonly name: string;
    readonly topic: string;
    readonly retentionMs: number | undefined;
  }): Promise<number> {
    const { name, topic, retentionMs } = group;
    const known = this.#known.get(name);
    if (known?.topic === topic && known.retentionMs === retentionMs) return known.id;
    const id = Number(await this.#write(["busOpenGroup", name, topic, retentionMs ?? null]));
    this.#known.set(name, { id, topic, retentionMs });
    return id;
  }

  async removeGroup(group: number): Promise<void> {
    for (const [name, { id }] of this.#known) if (id === group) this.#known.delete(name);
    this.#sweptTo.delete(group);
    await this.#write(["busForgetGroup", group]);
    this.#clearing = this.#clearing.then(() => this.#clear([group]));
  }

  append(appends: readonly JournalAppend[]): Promise<void> {
    const [first, ...others] = this.loadOf(appends);
    if (first === undefined) return Promise.resolve();
    const op = others.length === 0 ? first : (["busAppendAll", [first, ...others]] as const);
    // Nobody looks at the answer: one promise less for each event.
    return this.#write(op) as Promise<void>;
  }

  loadOf(appends: readonly JournalAppend[]): readonly AppendOp[] {
    return appends.map((append) => this.#appendOp(append));
  }

  async read(group: number, after: number, limit: number): Promise<readonly JournalEntry[]> {
    await nextTurn(); // B2: who reads page after page shares the loop with everybody else
    if (this.#closing !== undefined) return []; // nobody handles anything any more
    const { rows } = await this.#page(queuePage, [group, after], limit);
    return rows.map((row) => this.#entryOf(row, group));
  }

  acknowledge(group: number, seq: number): void {
    this.#writes.acknowledge(group, seq);
  }

  get unacknowledged(): number {
    return this.#writes.unacknowledged;
  }

  get takesWrites(): boolean {
    return this.#writes.takesWrites;
  }

  get onTakesWrites(): (() => void) | undefined {
    return this.#writes.onTakesWrites;
  }

  set onTakesWrites(call: (() => void) | undefined) {
    this.#writes.onTakesWrites = call;
  }

  async progress(group: number, seq: number, progress: JournalProgress): Promise<void> {
    const { attempt, failures, retryAtMs } = progress;
    await this.#write(["busProgress", group, seq, attempt, failures, retryAtMs ?? null]);
  }

  async bury(
    letter: DeadLetter,
    from: { readonly group: number; readonly seq: number } | undefined,
  ): Promise<void> {
    const place = from === undefined ? null : ([from.group, from.seq] as const);
    await this.#write(["busBury", letterToRow(letter), this.#rows.toRow(letter.message), place]);
  }

  nextWakeAtMs(): number | undefined {
    const dueAt = this.#get(nextWakeSql)?.[0];
    return typeof dueAt === "number" ? dueAt : undefined;
  }

  async wake(options: {
    readonly nowMs: number;
    readonly limit: number;
    readonly seq: number;
  }): Promise<readonly JournalWoken[]> {
    const { nowMs, limit, seq } = options;
    // What `busWake` answers.
    const places = (await this.#write(["busWake", nowMs, limit, seq])) as readonly Place[];
    return places.map(([group, at]) => ({ group, seq: at }));
  }

  async expire(
    group: number,
    options: { readonly beforeMs: number; readonly limit: number },
  ): Promise<number> {
    const { beforeMs, limit } = options;
    const [front] = await this.#expire(["busExpire", group, 0, limit, beforeMs, limit]);
    if (front === limit) return front;
    const rest = limit - front;
    const after = this.#sweptTo.get(group) ?? 0;
    const found = await this.#expire(["busExpire", group, after, EXPIRY_ROWS, beforeMs, rest]);
    const [count, next] = found;
    if (next === null) this.#sweptTo.delete(group);
    else this.#sweptTo.set(group, next);
    return front + count;
  }

  async letters({ subscription, after, limit = 100 }: DeadLetterQuery): Promise<DeadLetterPage> {
    const from = after ?? "";
    // One more than asked for tells whether there is a next page.
    const { rows, isCut } =
      subscription === undefined
        ? await this.#page(letterPage, [from], limit + 1)
        : await this.#page(letterPageOf, [subscription, from], limit + 1);
    const letters = rows.slice(0, limit).map((row) => letterFromRow(row, this.#rows));
    return { letters, next: isCut || rows.length > limit ? letters.at(-1)?.id : undefined };
  }

  letter(id: string): DeadLetter | undefined {
    const row = this.#get(letterSql, id);
    return row === undefined ? undefined : letterFromRow(row, this.#rows);
  }

  async discard(ids: readonly string[]): Promise<number> {
    return Number(await this.#write(["busDiscard", ids]));
  }

  async redrive(
    id: string,
    to: { readonly group: number; readonly seq: number },
  ): Promise<boolean> {
    return (await this.#write(["busRedrive", this.#clock.nowMs(), id, to.group, to.seq])) === true;
  }

  async dropOldestLetters(count: number): Promise<void> {
    await this.#write(["busDropOldestLetters", count]);
  }

  async check(): Promise<void> {
    try {
      await this.#file.check();
    } catch (error) {
      throw busFailure(error, this.#file.path);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#clearing;
    this.#writes.close();
    await this.#file.close();
    taken.delete(this.medium);
  }

  #appendOp({ message, deliverAtMs, expiresAtMs, groups }: JournalAppend): AppendOp {
    const times = [deliverAtMs ?? null, expiresAtMs ?? null] as const;
    const places = groups.flatMap(({ group, seq }) => [group, seq]);
    return ["busAppend", ...times, ...this.#rows.toRow(message), ...places];
  }

  #entryOf(row: SqlRow, group: number): JournalEntry {
    const { message, isDamaged } = this.#rows.fromRow(row);
    const [seq, attempt, failures, retryAt, expiresAt] = row.slice(6);
    const entry = {
      seq: Number(seq),
      message,
      attempt: Number(attempt),
      failures: Number(failures),
      retryAtMs: typeof retryAt === "number" ? retryAt : undefined,
      expiresAtMs: typeof expiresAt === "number" ? expiresAt : undefined,
    };
    if (!isDamaged) return entry;
    const damage = sqliteErrors.SQLITE_FILE_CORRUPT(
      `The database file ${this.#file.path} holds message ${JSON.stringify(message.id)} of group ` +
        `${group}, which is no JSON any more; restore the file from a backup.`,
      { details: { file: this.#file.path } },
    );
    return { ...entry, damage };
  }

  /** Rows from the start of what fits the query, as many as B2 lets through. */
  async #page(page: PageSql, values: readonly SqlValue[], limit: number): Promise<Page> {
    try {
      const sizes = this.#file.all(page.sizes, ...values, limit);
      const count = countWithin(sizes, PAGE_BYTES_MAX);
      const rows =
        count > ROWS_HERE_MAX
          ? await this.#file.allAside(page.rows, ...values, count)
          : this.#file.all(page.rows, ...values, count);
      return { rows, isCut: count < sizes.length };
    } catch (error) {
      throw busFailure(error, this.#file.path);
    }
  }

  #get(text: string, ...values: readonly SqlValue[]): SqlRow | undefined {
    try {
      return this.#file.get(text, ...values);
    } catch (error) {
      throw busFailure(error, this.#file.path);
    }
  }

  #write(op: BusOp): Promise<unknown> {
    return this.#writes.write(op);
  }

  async #expire(op: BusOp): Promise<Expired> {
    return (await this.#write(op)) as Expired; // what `busExpire` answers
  }

  /** Removes what groups that are gone have left (B3). */
  async #clear(groups: readonly number[]): Promise<void> {
    try {
      for (const group of groups) {
        let cleared = CLEARED_AT_ONCE;
        while (cleared === CLEARED_AT_ONCE && this.#closing === undefined) {
          cleared = Number(await this.#write(["busClear", group, CLEARED_AT_ONCE]));
        }
      }
    } catch (error) {
      this.#log.warn("rows of a removed group stay until the next start", {
        file: this.#file.path,
        error,
      });
    }
  }
}

interface Page {
  readonly rows: readonly SqlRow[];
  /** There would have been more within the limit. */
  readonly isCut: boolean;
}

function pageSql(
  table: string,
  { columns, where }: { readonly columns: string; readonly where: string },
): PageSql {
  return {
    sizes: `SELECT octet_length(body) FROM ${table} WHERE ${where}`,
    rows: `SELECT ${columns} FROM ${table} WHERE ${where}`,
  };
}

/** How many of the rows together stay below so many bytes; at least one. */
function countWithin(sizes: readonly SqlRow[], bytesMax: number): number {
  let bytes = 0;
  for (const [index, [size]] of sizes.entries()) {
    bytes += Number(size);
    if (bytes > bytesMax) return Math.max(1, index);
  }
  return sizes.length;
}
