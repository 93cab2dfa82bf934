/**
 * A hashed timing wheel: thousands of deadlines on one timer (Varghese and Lauck 1987, scheme 6).
 *
 * What it owns: one timer of the clock, armed only while something waits.
 * What may interrupt it: `add`/`remove` from inside `expire`, which is why the due entries of a
 * slot are listed first and looked at again before each is expired.
 *
 * I1. An entry is in at most one slot; `entry.slot` says which, -1 when in none.
 * I2. `expire` is called at most once per `add`, never before the deadline, and at most one tick
 *     (`tickMs`) plus the loop's delay after it.
 * I3. No entries, no timer.
 *
 * Chosen over a timer per call because arming and clearing a Node timer costs as much as a whole
 * in-process call; almost no deadline is ever reached.
 */

import type { CancelTimer, Clock } from "./clock.ts";

/** Intrusive list node: the waiting thing itself carries the links, so adding allocates nothing. */
export interface WheelEntry {
  /** Monotonic time at which it expires. */
  deadlineMs: number;
  slot: number;
  next: WheelEntry | undefined;
  previous: WheelEntry | undefined;
}

const slotCount = 512;

/** A power of two, so that dividing by it is exact and a deadline cannot slip past its slot. */
const tickMs = 16;

export class TimingWheel<E extends WheelEntry> {
  readonly #clock: Clock;
  readonly #expire: (entry: E) => void;
  readonly #slots: (WheelEntry | undefined)[] = Array.from({ length: slotCount });
  #size = 0;
  #tick: number;
  #cancelTimer: CancelTimer | undefined;

  /** @param expire must not throw. */
  constructor(clock: Clock, expire: (entry: E) => void) {
    this.#clock = clock;
    this.#expire = expire;
    this.#tick = Math.floor(clock.monotonicMs() / tickMs);
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Takes an entry in; one that waits already is placed anew. */
  add(entry: E): void {
    if (entry.slot !== -1) this.remove(entry);
    if (this.#cancelTimer === undefined) {
      // Nothing waits that a skipped tick could lose; while something does, the timer keeps it.
      if (this.#size === 0) this.#tick = Math.floor(this.#clock.monotonicMs() / tickMs);
      this.#arm();
    }
    // Rounded up, so the slot is walked only once the deadline is past (I2).
    const due = Math.max(Math.ceil(entry.deadlineMs / tickMs), this.#tick + 1);
    const slot = due % slotCount;
    const head = this.#slots[slot];
    entry.slot = slot;
    entry.previous = undefined;
    entry.next = head;
    if (head !== undefined) head.previous = entry;
    this.#slots[slot] = entry;
    this.#size += 1;
  }

  /** Forgets an entry; one that is not waiting is passed over. */
  remove(entry: E): void {
    if (entry.slot === -1) return;
    if (entry.previous === undefined) this.#slots[entry.slot] = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next !== undefined) entry.next.previous = entry.previous;
    entry.slot = -1;
    entry.next = undefined;
    entry.previous = undefined;
    this.#size -= 1;
    // The timer is left to find an empty wheel at its next tick: cancelling it here would arm and
    // clear one timer per call when calls come one at a time.
  }

  /** Drops everything without expiring it. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const head of this.#slots) {
      for (let entry = head; entry !== undefined;) {
        const { next } = entry;
        entry.slot = -1;
        entry.next = undefined;
        entry.previous = undefined;
        entry = next;
      }
    }
    this.#slots.fill(undefined);
    this.#size = 0;
  }

  /** Fires at the end of the current tick: from now on would be up to a tick late. */
  #arm(): void {
    const delayMs = (this.#tick + 1) * tickMs - this.#clock.monotonicMs();
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, delayMs), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    this.#advance();
    // An expiry may have added something, and armed the timer with it.
    if (this.#size > 0 && this.#cancelTimer === undefined) this.#arm();
  };

  #advance(): void {
    const now = this.#clock.monotonicMs();
    const last = Math.floor(now / tickMs);
    // After a long pause every slot is walked once, not once per missed tick.
    const first = Math.max(this.#tick + 1, last - slotCount + 1);
    this.#tick = last;
    for (let tick = first; tick <= last; tick += 1) this.#walk(tick % slotCount, now);
  }

  #walk(slot: number, now: number): void {
    const due: WheelEntry[] = [];
    for (let entry = this.#slots[slot]; entry !== undefined; entry = entry.next) {
      if (entry.deadlineMs <= now) due.push(entry);
    }
    for (const each of due) {
      // An earlier expiry may have removed it meanwhile, or placed it anew (I1).
      if (each.slot !== slot || each.deadlineMs > now) continue;
      // Only entries of type E are ever added.
      const known = each as E;
      this.remove(known);
      this.#expire(known);
    }
  }
}
