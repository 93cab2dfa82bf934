/**
 * A journal in memory, for tests: what the local bus does with one can be tried without a file,
 * with slow writes, with writes that fail, and with processes that die.
 *
 * What it owns: groups, their queues, sleeping messages and dead letters, all as text, so that no
 * object is shared. A `TestDisk` outlives the journals that are opened on it, as a file does.
 */

import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import type { CommitRider } from "@banyan/state";
import type { DeadLetter, DeadLetterPage, DeadLetterQuery, Message } from "../bus.ts";
import { messagingErrors } from "../errors.ts";
import type {
  BusJournal,
  JournalAppend,
  JournalEntry,
  JournalGroup,
  JournalProgress,
  JournalWoken,
} from "../journal.ts";

/** What changes the disk. */
export type TestJournalWrite =
  | "openGroup"
  | "removeGroup"
  | "append"
  | "commit"
  | "acknowledge"
  | "progress"
  | "bury"
  | "wake"
  | "expire"
  | "discard"
  | "redrive"
  | "dropOldestLetters"
  /** A journal looks whether writes succeed again. */
  | "probe";

export interface TestDiskOptions {
  readonly clock?: Clock | undefined;
  /** Milliseconds from handing over to safe. Default 0: within the turn. */
  readonly delayMs?: number | undefined;
}

interface Row {
  readonly text: string;
  readonly queuedAtMs: number;
  readonly expiresAtMs: number | undefined;
  progress: JournalProgress;
}

interface Group {
  readonly id: number;
  readonly name: string;
  readonly topic: string;
  retentionMs: number | undefined;
  /** By number; in ascending order, since later numbers are greater. */
  readonly rows: Map<number, Row>;
}

interface Sleeper {
  readonly text: string;
  readonly group: number;
  readonly deliverAtMs: number;
  readonly expiresAtMs: number | undefined;
}

interface Write {
  readonly kind: TestJournalWrite;
  /** Whose it is: a dead process's writes are not done any more. */
  readonly journal: TestJournal | undefined;
  readonly run: () => void;
  readonly refuse: (error: Error) => void;
}

const tryAgainMs = 100;
const fresh: JournalProgress = Object.freeze({ attempt: 0, failures: 0, retryAtMs: undefined });

/** What outlives a process. */
export class TestDisk {
  /** Decides which writes fail. */
  failWith: ((kind: TestJournalWrite) => Error | undefined) | undefined = undefined;
  readonly groups = new Map<number, Group>();
  readonly letters = new Map<string, string>();
  readonly sleepers: Sleeper[] = [];
  readonly medium: object = { kind: "test disk" };
  nextSeq = 1;
  readonly clock: Clock;
  readonly #delayMs: number;
  #writes: Write[] = [];
  #isCommitting = false;
  readonly #onIdle: (() => void)[] = [];

  constructor({ clock = systemClock, delayMs = 0 }: TestDiskOptions = {}) {
    this.clock = clock;
    this.#delayMs = delayMs;
  }

  /** As a starting process does. Kill the journal before: one process has the disk for itself. */
  open(): TestJournal {
    return new TestJournal(this);
  }

  hand(write: Write): void {
    this.#writes.push(write);
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    this.#wait();
  }

  /** What an engine on this disk does with riders: their loads in one step, then it tells them. */
  commit(riders: readonly CommitRider[]): Promise<void> {
    // Made by `loadOf` of a journal on this disk.
    const loads = riders.map(({ load }) => load as (() => void) | undefined);
    return new Promise((resolve, reject) => {
      const run = (): void => {
        for (const load of loads) load?.();
        for (const rider of riders) rider.committed();
        resolve();
      };
      const refuse = (error: Error): void => {
        for (const rider of riders) rider.dropped();
        reject(error);
      };
      this.hand({ kind: "commit", journal: undefined, run, refuse });
    });
  }

  async idle(): Promise<void> {
    if (!this.#isCommitting) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #wait(): void {
    if (this.#delayMs === 0) queueMicrotask(this.#commit);
    else this.clock.setTimer(this.#delayMs, this.#commit, { keepAlive: true });
  }

  readonly #commit = (): void => {
    const writes = this.#writes;
    this.#writes = [];
    for (const { kind, journal, run, refuse } of writes) {
      if (journal?.isDead === true) continue;
      const error = this.failWith?.(kind);
      if (error === undefined) run();
      else refuse(error);
    }
    if (this.#writes.length > 0) {
      this.#wait();
      return;
    }
    this.#isCommitting = false;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  };
}

export class TestJournal implements BusJournal {
  readonly #disk: TestDisk;
  readonly groups: readonly JournalGroup[];
  readonly nextSeq: number;
  readonly deadLetterCount: number;
  onTakesWrites: (() => void) | undefined = undefined;
  #isDead = false;
  #takesWrites = true;
  /** Acknowledgements that the disk refused, to be tried again. */
  readonly #refused: (() => void)[] = [];
  #unacknowledged = 0;
  #stopWaiting = (): void => undefined;

  constructor(disk: TestDisk) {
    this.#disk = disk;
    this.nextSeq = disk.nextSeq;
    this.deadLetterCount = disk.letters.size;
    this.groups = [...disk.groups.values()].map(({ id, name, topic, retentionMs, rows }) => {
      const delayed = disk.sleepers.filter(({ group }) => group === id).length;
      return { id, name, topic, retentionMs, delayed, held: rows.size + delayed };
    });
  }

  get medium(): object {
    return this.#disk.medium;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get takesWrites(): boolean {
    return this.#takesWrites;
  }

  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** As `kill -9`: what is not safe yet never will be, and nobody is told anything any more. */
  kill(): void {
    this.#isDead = true;
    this.#stopWaiting();
  }

  openGroup(group: {
    readonly name: string;
    readonly topic: string;
    readonly retentionMs: number | undefined;
  }): Promise<number> {
    return this.#write("openGroup", () => {
      const { groups } = this.#disk;
      for (const known of groups.values()) {
        if (known.name !== group.name) continue;
        known.retentionMs = group.retentionMs;
        return known.id;
      }
      const id = 1 + Math.max(0, ...groups.keys());
      groups.set(id, { ...group, id, rows: new Map() });
      return id;
    });
  }

  removeGroup(group: number): Promise<void> {
    return this.#write("removeGroup", () => {
      const { groups, sleepers } = this.#disk;
      groups.delete(group);
      const kept = sleepers.filter((each) => each.group !== group);
      sleepers.splice(0, sleepers.length, ...kept);
    });
  }

  append(appends: readonly JournalAppend[]): Promise<void> {
    const load = this.loadOf(appends);
    return this.#write("append", load);
  }

  /** What a rider's engine runs in its commit. */
  loadOf(appends: readonly JournalAppend[]): () => void {
    const texts = appends.map((append) => ({ ...append, text: textOf(append.message) }));
    return () => {
      for (const { message, text, deliverAtMs, expiresAtMs, groups } of texts) {
        const queuedAtMs = message.timestampMs;
        for (const { group, seq } of groups) {
          if (deliverAtMs === undefined) {
            this.#put(group, seq, { text, queuedAtMs, expiresAtMs, progress: fresh });
          } else this.#disk.sleepers.push({ text, group, deliverAtMs, expiresAtMs });
        }
      }
    };
  }

  read(group: number, after: number, limit: number): readonly JournalEntry[] {
    const entries: JournalEntry[] = [];
    for (const [seq, { text, expiresAtMs, progress }] of this.#disk.groups.get(group)?.rows ?? []) {
      if (seq <= after) continue;
      entries.push({ seq, message: messageOf(text), expiresAtMs, ...progress });
      if (entries.length === limit) break;
    }
    return entries;
  }

  acknowledge(group: number, seq: number): void {
    this.#unacknowledged += 1;
    this.#handAcknowledgement(() => {
      this.#unacknowledged -= 1;
      this.#disk.groups.get(group)?.rows.delete(seq);
    });
  }

  progress(group: number, seq: number, progress: JournalProgress): Promise<void> {
    return this.#write("progress", () => {
      const row = this.#disk.groups.get(group)?.rows.get(seq);
      if (row !== undefined) row.progress = progress;
    });
  }

  bury(
    letter: DeadLetter,
    from: { readonly group: number; readonly seq: number } | undefined,
  ): Promise<void> {
    const text = JSON.stringify(letter);
    return this.#write("bury", () => {
      this.#disk.letters.set(letter.id, text);
      if (from !== undefined) this.#disk.groups.get(from.group)?.rows.delete(from.seq);
    });
  }

  nextWakeAtMs(): number | undefined {
    const [next] = this.#sleepers();
    return next?.deliverAtMs;
  }

  wake({
    nowMs,
    limit,
    seq,
  }: {
    readonly nowMs: number;
    readonly limit: number;
    readonly seq: number;
  }): Promise<readonly JournalWoken[]> {
    return this.#write("wake", () => {
      const due = this.#sleepers().filter(({ deliverAtMs }) => deliverAtMs <= nowMs);
      return due.slice(0, limit).map((sleeper, index) => {
        const { group, text, expiresAtMs } = sleeper;
        this.#disk.sleepers.splice(this.#disk.sleepers.indexOf(sleeper), 1);
        this.#put(group, seq + index, { text, queuedAtMs: nowMs, expiresAtMs, progress: fresh });
        return { group, seq: seq + index };
      });
    });
  }

  expire(
    group: number,
    { beforeMs, limit }: { readonly beforeMs: number; readonly limit: number },
  ): Promise<number> {
    return this.#write("expire", () => {
      let dropped = 0;
      const rows = this.#disk.groups.get(group)?.rows ?? new Map<number, Row>();
      for (const [seq, { queuedAtMs }] of rows) {
        if (dropped === limit) break;
        if (queuedAtMs >= beforeMs) continue;
        rows.delete(seq);
        dropped += 1;
      }
      return dropped;
    });
  }

  letters({ subscription, after, limit = 100 }: DeadLetterQuery): DeadLetterPage {
    const found: DeadLetter[] = [];
    for (const text of this.#disk.letters.values()) {
      const letter = letterOf(text);
      if (after !== undefined && letter.id <= after) continue;
      if (subscription !== undefined && letter.subscription !== subscription) continue;
      if (found.length === limit) return { letters: found, next: found.at(-1)?.id };
      found.push(letter);
    }
    return { letters: found, next: undefined };
  }

  letter(id: string): DeadLetter | undefined {
    const text = this.#disk.letters.get(id);
    return text === undefined ? undefined : letterOf(text);
  }

  discard(ids: readonly string[]): Promise<number> {
    return this.#write("discard", () => {
      const { letters } = this.#disk;
      return ids.filter((id) => letters.delete(id)).length;
    });
  }

  redrive(id: string, to: { readonly group: number; readonly seq: number }): Promise<boolean> {
    return this.#write("redrive", () => {
      const letter = this.letter(id);
      if (letter === undefined) return false;
      this.#disk.letters.delete(id);
      const text = JSON.stringify(letter.message);
      const queuedAtMs = this.#disk.clock.nowMs();
      const row = { text, queuedAtMs, expiresAtMs: undefined, progress: fresh };
      this.#put(to.group, to.seq, row);
      return true;
    });
  }

  dropOldestLetters(count: number): Promise<void> {
    return this.#write("dropOldestLetters", () => {
      const { letters } = this.#disk;
      for (const id of [...letters.keys()].slice(0, count)) letters.delete(id);
    });
  }

  check(): void {
    const error = this.#disk.failWith?.("append");
    if (error !== undefined) throw error;
  }

  async close(): Promise<void> {
    await this.#disk.idle();
    this.#stopWaiting();
    for (const run of this.#refused.splice(0)) this.#handAcknowledgement(run);
    await this.#disk.idle();
    this.#stopWaiting();
  }

  #sleepers(): readonly Sleeper[] {
    return this.#disk.sleepers.toSorted((a, b) => a.deliverAtMs - b.deliverAtMs);
  }

  #put(group: number, seq: number, row: Row): void {
    const disk = this.#disk;
    disk.nextSeq = Math.max(disk.nextSeq, seq + 1);
    disk.groups.get(group)?.rows.set(seq, row);
  }

  #write<T>(kind: TestJournalWrite, change: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        resolve(change());
        if (this.#refused.length === 0) this.#writesSucceed();
      };
      const refuse = (error: Error): void => {
        reject(error);
        this.#writesFailed();
      };
      this.#disk.hand({ kind, journal: this, run, refuse });
    });
  }

  #handAcknowledgement(run: () => void): void {
    const refuse = (): void => {
      this.#refused.push(run);
      this.#writesFailed();
    };
    this.#disk.hand({ kind: "acknowledge", journal: this, run, refuse });
  }

  #writesFailed(): void {
    if (!this.#takesWrites) return;
    this.#takesWrites = false;
    this.#tryLater();
    this.onTakesWrites?.();
  }

  #tryLater(): void {
    this.#stopWaiting = this.#disk.clock.setTimer(tryAgainMs, () => this.#tryAgain());
  }

  #writesSucceed(): void {
    if (this.#takesWrites) return;
    this.#stopWaiting();
    this.#takesWrites = true;
    this.onTakesWrites?.();
  }

  /** What was refused first; writes succeed again when all of it and a write after it did. */
  #tryAgain(): void {
    for (const run of this.#refused.splice(0)) this.#handAcknowledgement(run);
    const refuse = (): void => this.#tryLater();
    const run = (): void => {
      if (this.#refused.length > 0) this.#tryLater();
      else this.#writesSucceed();
    };
    this.#disk.hand({ kind: "probe", journal: this, run, refuse });
  }
}

/** What a test makes writes fail with. */
export function testUnavailable(): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE("The test's disk takes nothing now.");
}

/** Of what a reader is given, and no more. */
function textOf({ id, topic, timestampMs, body, headers, orderingKey }: Message): string {
  return JSON.stringify({ id, topic, timestampMs, body, headers, orderingKey });
}

function messageOf(text: string): Message {
  // It was written from one.
  return JSON.parse(text) as Message;
}

function letterOf(text: string): DeadLetter {
  // It was written from one.
  return JSON.parse(text) as DeadLetter;
}
