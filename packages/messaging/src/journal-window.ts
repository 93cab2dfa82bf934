/**
 * What one group sees of the journal. Up to some thousand messages are in memory; the others stay
 * where they are safe and are read back in pages, in order, when there is room.
 *
 * What it owns: how far was read, how many are left behind, which are on their way.
 * What may interrupt it: a publish that became safe, a page that arrives, delayed messages that are
 * woken, the end of the queue.
 *
 * W1. Every safe message of the queue is either above `#after` and counted in `#behind`, or was
 *     handed to the queue, once.
 * W2. A message that is on its way (`#expected`) is handed over by its own arrival, never by a
 *     page, which may see it before its publisher knows that it is safe.
 * W3. While messages are left behind, new ones are left behind too: order holds into the queue.
 * W4. While delayed messages are being woken nothing passes them: new ones are left behind, and no
 *     page goes beyond the first number they may get.
 */

import type { WheelEntry } from "@banyan/kernel/internal";
import type { Message } from "./bus.ts";
import type { HeldDelivery, Timed } from "./held-delivery.ts";
import type { BusJournal, JournalEntry } from "./journal.ts";

const pageSize = 256;
const readAgainMs = 1000;

const expiredAtOnce = 1000;

/** What a window needs of its queue. */
export interface WindowQueue {
  /** Somebody handles messages, and not too many are in memory. */
  readonly wantsMore: boolean;
  /** Takes in a message that the journal kept. */
  load(entry: JournalEntry): void;
  /** What held it up is over: handlers may start. */
  goOn(): void;
  /** So many messages were counted that the journal does not have. */
  lostCount(count: number): void;
  readFailed(error: unknown): void;
  readAgain(timed: Timed): void;
}

export interface WindowInit {
  readonly group: number;
  /** In its queue, the delayed ones not counted. */
  readonly behind: number;
  readonly sleeping: number;
  readonly journal: BusJournal;
  /** The first number that delayed messages may get which are being woken; else `Infinity`. */
  readonly wakingFrom: () => number;
}

export class JournalWindow implements Timed {
  readonly group: number;
  readonly #init: WindowInit;
  readonly #queue: WindowQueue;
  readonly #expected = new Set<number>();
  /** What was read or came after what was read: at or below it nothing is left behind. */
  #after = -1;
  #behind: number;
  #sleeping: number;
  #isReading = false;
  #isExpiring = false;
  /** Where the last page ended because of W4: until that is over there is nothing more to read. */
  #cutAt = -1;
  /** Left behind since the page that is being read was asked for. */
  #behindSinceRead = 0;
  deadlineMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(queue: WindowQueue, init: WindowInit) {
    this.#queue = queue;
    this.#init = init;
    this.group = init.group;
    this.#behind = init.behind;
    this.#sleeping = init.sleeping;
  }

  /** Messages that stayed in the journal until there is room. */
  get behind(): number {
    return this.#behind;
  }

  /** Delayed messages in the journal. */
  get sleeping(): number {
    return this.#sleeping;
  }

  /** A page is on its way. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** False: what is handled now could not be forgotten, so nothing is handed out. */
  get takesWrites(): boolean {
    return this.#init.journal.takesWrites;
  }

  /** A message is handed to the journal under this number. */
  expect(seq: number): void {
    this.#expected.add(seq);
  }

  /** It was not kept. */
  forget(seq: number): void {
    this.#expected.delete(seq);
  }

  /** It is safe. True: the queue takes it now; false: it is left behind. */
  admits(seq: number): boolean {
    this.#expected.delete(seq);
    if (seq <= this.#after) return true; // no page will come by it again
    if (this.#isOpen) {
      this.#after = seq;
      return true;
    }
    this.#leaveBehind();
    return false;
  }

  /** A delayed message is safe. */
  slept(): void {
    this.#sleeping += 1;
  }

  /** A delayed message is in the queue now. */
  woken(): void {
    this.#sleeping -= 1;
    this.#leaveBehind();
  }

  /** Reads the next page if there is one, and room for it. */
  refill(): void {
    if (this.#behind <= 0 || this.#isReading || this.#isExpiring || this.slot !== -1) return;
    if (this.#init.wakingFrom() === this.#cutAt || !this.#queue.wantsMore) return;
    this.#isReading = true;
    this.#behindSinceRead = 0;
    try {
      const page = this.#init.journal.read(this.group, this.#after, pageSize);
      if (page instanceof Promise) page.then(this.#onPage, this.#onReadFailed);
      else this.#onPage(page);
    } catch (error) {
      this.#onReadFailed(error);
    }
  }

  /** The first of those left behind. */
  async oldestBehind(): Promise<Message | undefined> {
    if (this.#behind === 0) return undefined;
    const [first] = await this.#init.journal.read(this.group, this.#after, 1);
    return first?.message;
  }

  /** After a failed read. */
  onDue(): void {
    this.refill();
  }

  acknowledge(held: HeldDelivery): void {
    this.#init.journal.acknowledge(this.group, held.seq);
  }

  /**
   * What the next run must know. Deliveries that a leaving member gave back are not counted: they
   * are no deaths.
   */
  record(
    held: HeldDelivery,
    { begun, retryAtMs }: { readonly begun: number; readonly retryAtMs: number | undefined },
  ): Promise<void> {
    const { failures, lost, seq } = held;
    const attempt = failures + Math.max(0, lost) + begun;
    return this.#init.journal.progress(this.group, seq, { attempt, failures, retryAtMs });
  }

  /** So many that were read are forgotten in memory: pages begin at the front again. */
  rewind(count: number): void {
    this.#behind += count;
    this.#after = -1;
  }

  /**
   * Drops some of what was queued before from the journal, of which nothing is in memory now.
   */
  async expire(beforeMs: number): Promise<{ readonly dropped: number; readonly isDone: boolean }> {
    const limit = expiredAtOnce;
    let dropped = 0;
    this.#isExpiring = true;
    try {
      dropped = await this.#init.journal.expire(this.group, { beforeMs, limit });
    } finally {
      this.#isExpiring = false;
      const gone = Math.min(this.#behind, dropped);
      this.#behind -= gone;
      this.#queue.lostCount(gone);
      this.#queue.goOn(); // a member that joined meanwhile waits for its page
    }
    return { dropped, isDone: dropped < limit };
  }

  get #isOpen(): boolean {
    return (
      this.#behind === 0 &&
      !this.#isReading &&
      !this.#isExpiring &&
      this.#init.wakingFrom() === Infinity &&
      this.#queue.wantsMore
    );
  }

  #leaveBehind(): void {
    this.#behind += 1;
    if (this.#isReading) this.#behindSinceRead += 1;
  }

  readonly #onPage = (entries: readonly JournalEntry[]): void => {
    this.#isReading = false;
    const end = this.#init.wakingFrom();
    let isCut = false;
    for (const entry of entries) {
      if (entry.seq >= end) {
        isCut = true; // W4
        this.#cutAt = end;
        break;
      }
      this.#after = entry.seq;
      if (this.#expected.has(entry.seq)) continue; // W2
      this.#behind -= 1;
      this.#queue.load(entry);
    }
    if (!isCut && entries.length === 0) this.#reachedEnd(); // a page may be short
    this.#queue.goOn();
  };

  /** The journal has no more than came since: whatever else was counted is not there. */
  #reachedEnd(): void {
    const missing = this.#behind - this.#behindSinceRead;
    if (missing > 0) {
      this.#behind -= missing;
      this.#queue.lostCount(missing);
    } else if (this.#behind < 0) this.#behind = 0;
  }

  readonly #onReadFailed = (error: unknown): void => {
    this.#isReading = false;
    this.#queue.readFailed(error);
    this.deadlineMs = readAgainMs;
    this.#queue.readAgain(this);
  };
}
