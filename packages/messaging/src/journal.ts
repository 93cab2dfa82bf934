/**
 * Where the local bus keeps what must survive its process. `local-bus.ts` decides and delivers; a
 * journal only remembers. The memory bus has none.
 *
 * The bus has the journal for itself as long as it is open, so what it holds in memory is a window
 * onto the journal, never a copy that could be stale.
 *
 * J1. What is handed over is done in the order in which it was handed over, whether or not anybody
 *     waited for the one before.
 * J2. A promise resolves when its change survives `kill -9`. `append`, `bury`, `redrive` and `wake`
 *     are all or none each.
 * J3. `seq` is given out by the bus, ascending in each group; `nextSeq` is above all that is kept.
 * J4. A method that rejects has changed nothing, or says MESSAGING_OUTCOME_UNKNOWN.
 */

import type { Awaitable } from "@banyan/state";
import type { DeadLetter, DeadLetterPage, DeadLetterQuery, Message } from "./bus.ts";

/** A group as the journal knows it when it is opened. */
export interface JournalGroup {
  readonly id: number;
  readonly name: string;
  readonly topic: string;
  readonly retentionMs: number | undefined;
  /** Messages kept for it, delayed ones included. */
  readonly held: number;
  readonly delayed: number;
}

/** One message that waits in one group. */
export interface JournalEntry {
  readonly seq: number;
  readonly message: Message;
  /** Deliveries so far, as far as they were recorded. */
  readonly attempt: number;
  /** Failed ones among them. */
  readonly failures: number;
  /** Wall clock of the next attempt; `undefined`: as soon as it is its turn. */
  readonly retryAtMs: number | undefined;
  /** Wall clock from which it is not handled any more; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
  /**
   * Set when what was kept cannot be read as a message any more: the bus makes it a dead letter,
   * `unreadable`, without a handler. `message` is what could be read of it.
   */
  readonly damage?: Error | undefined;
}

/** A message for some groups. */
export interface JournalAppend {
  readonly message: Message;
  /** Wall clock; with it the message sleeps until `wake`. */
  readonly deliverAtMs: number | undefined;
  /** Wall clock; kept with the message until it is handled or a dead letter. */
  readonly expiresAtMs: number | undefined;
  /** Where it goes, and under which number there; a delayed one is given a new one by `wake`. */
  readonly groups: readonly { readonly group: number; readonly seq: number }[];
}

/** How a message that stays stands after a failure. */
export interface JournalProgress {
  readonly attempt: number;
  readonly failures: number;
  readonly retryAtMs: number | undefined;
}

/** A delayed message whose time has come: it is in its group's queue now, as `seq`. */
export interface JournalWoken {
  readonly group: number;
  readonly seq: number;
}

export interface BusJournal {
  /** Shared with the state engine on the same file. */
  readonly medium: object;
  /** The groups when it was opened. */
  readonly groups: readonly JournalGroup[];
  readonly nextSeq: number;
  /** Dead letters when it was opened. */
  readonly deadLetterCount: number;

  /** Makes the group, or sets its retention; answers its id. */
  openGroup(group: {
    readonly name: string;
    readonly topic: string;
    readonly retentionMs: number | undefined;
  }): Promise<number>;
  /** Forgets the group and everything it holds. */
  removeGroup(group: number): Promise<void>;

  append(appends: readonly JournalAppend[]): Promise<void>;
  /** The same as a rider's `load` on `medium`. */
  loadOf(appends: readonly JournalAppend[]): unknown;
  /**
   * Entries of the group's queue after `after`, in order; delayed ones sleep elsewhere. Large ones
   * may make it fewer than `limit`; none means that there are none.
   */
  read(group: number, after: number, limit: number): Awaitable<readonly JournalEntry[]>;

  /**
   * Takes a handled message out. A write that fails is tried again until it succeeds or the journal
   * is closed, and is reported by `takesWrites`, never by the promise of one message: nobody could
   * do anything about it there.
   */
  acknowledge(group: number, seq: number): void;
  /** Acknowledgements that are not safe yet: after a crash now their messages would come again. */
  readonly unacknowledged: number;
  /**
   * False from a write that failed for a reason of the medium (a full disk, a lock, a dead thread)
   * until one succeeds again. Meanwhile the bus hands nothing out: what it handled could not be
   * forgotten, and would be handled again.
   */
  readonly takesWrites: boolean;
  /** Called whenever `takesWrites` has changed; set by the bus. */
  onTakesWrites: (() => void) | undefined;
  progress(group: number, seq: number, progress: JournalProgress): Promise<void>;
  /**
   * Keeps a dead letter and takes the message out of its group's queue (`undefined`: it was a
   * broadcast's, which has none).
   */
  bury(
    letter: DeadLetter,
    from: { readonly group: number; readonly seq: number } | undefined,
  ): Promise<void>;

  /** When the next delayed message is due, by the wall clock. */
  nextWakeAtMs(): Awaitable<number | undefined>;
  /**
   * Moves up to `limit` delayed messages that are due by `nowMs` to the ends of their queues, the
   * earliest first, numbered from `seq` on; answers where they are.
   */
  wake(options: {
    readonly nowMs: number;
    readonly limit: number;
    readonly seq: number;
  }): Promise<readonly JournalWoken[]>;
  /**
   * Drops up to `limit` messages that were queued before `beforeMs` (queued: published; a delayed
   * one: woken; a dead letter: redriven), wherever they stand in the queue; how many.
   */
  expire(
    group: number,
    options: { readonly beforeMs: number; readonly limit: number },
  ): Promise<number>;

  letters(query: DeadLetterQuery): Awaitable<DeadLetterPage>;
  letter(id: string): Awaitable<DeadLetter | undefined>;
  /** Takes the letters out; answers how many there were. */
  discard(ids: readonly string[]): Promise<number>;
  /** Takes the letter out and appends its message to its group; false when the letter is gone. */
  redrive(id: string, to: { readonly group: number; readonly seq: number }): Promise<boolean>;
  /** Takes out the `count` oldest letters. */
  dropOldestLetters(count: number): Promise<void>;

  /** @throws MESSAGING_UNAVAILABLE or its like while the journal cannot write. */
  check(): Awaitable<void>;
  /** Resolves when everything that was handed over is safe, or was refused; then lets go. */
  close(): Promise<void>;
}
