/**
 * Wakes the delayed messages of a journal when the wall clock gets to them.
 *
 * What it owns: one place on the bus's wheel, for the earliest of all.
 * What may interrupt it: a delayed publish that became safe, the end of the bus.
 *
 * K1. The wait is measured again at least once a minute: the wall clock may jump, either way.
 * K2. While messages are being woken `wakingFrom` is the first number they may get, and no other
 *     message is given one of theirs.
 */

import { backoffMs } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import type { WheelEntry } from "@banyan/kernel/internal";
import type { BusWheel, Timed } from "./held-delivery.ts";
import type { BusJournal, JournalWoken } from "./journal.ts";
import { wallCheckMs } from "./queue-waits.ts";

const batchMax = 256;

export interface WakerHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: BusWheel;
  /** Takes so many numbers out of the row; answers the first. */
  takeSeqs(count: number): number;
  /** They are in their queues now; or none, and the waking is over. */
  woken(places: readonly JournalWoken[]): void;
}

export class JournalWaker implements Timed {
  readonly #journal: BusJournal;
  readonly #host: WakerHost;
  #nextAtMs = Infinity;
  #wakingFrom = Infinity;
  #isBusy = false;
  #isClosed = false;
  #failures = 0;
  /** Delayed messages became safe while it was busy. */
  #earliestMeanwhileMs = Infinity;
  deadlineMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(journal: BusJournal, host: WakerHost) {
    this.#journal = journal;
    this.#host = host;
  }

  get wakingFrom(): number {
    return this.#wakingFrom;
  }

  /** Begins with what an earlier run left behind. */
  start(): void {
    void this.#work();
  }

  /** A message that sleeps until then is safe. */
  slept(untilMs: number): void {
    if (this.#isBusy) this.#earliestMeanwhileMs = Math.min(this.#earliestMeanwhileMs, untilMs);
    else if (untilMs < this.#nextAtMs) this.#waitUntil(untilMs);
  }

  onDue(): void {
    if (this.#host.clock.nowMs() < this.#nextAtMs) this.#waitUntil(this.#nextAtMs);
    else void this.#work();
  }

  close(): void {
    this.#isClosed = true;
    this.#host.wheel.remove(this);
  }

  async #work(): Promise<void> {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    let nextAtMs: number;
    try {
      nextAtMs = await this.#wakeDue();
      this.#failures = 0;
    } catch (error) {
      nextAtMs = this.#afterFailure(error);
    }
    this.#isBusy = false;
    const untilMs = Math.min(nextAtMs, this.#earliestMeanwhileMs);
    this.#earliestMeanwhileMs = Infinity;
    if (!this.#isClosed) this.#waitUntil(untilMs);
  }

  /** Wakes all that are due; answers when the next one is. */
  async #wakeDue(): Promise<number> {
    for (;;) {
      const nextAtMs = (await this.#journal.nextWakeAtMs()) ?? Infinity;
      const nowMs = this.#host.clock.nowMs();
      if (nextAtMs > nowMs || this.#isClosed) return nextAtMs;
      const seq = this.#host.takeSeqs(batchMax);
      this.#wakingFrom = seq;
      let places: readonly JournalWoken[] = [];
      try {
        places = await this.#journal.wake({ nowMs, limit: batchMax, seq });
      } finally {
        this.#wakingFrom = Infinity;
        this.#host.woken(places);
      }
      if (places.length === 0) return nextAtMs;
    }
  }

  #afterFailure(error: unknown): number {
    const { clock, random, log } = this.#host;
    this.#failures += 1;
    log.error("delayed messages could not be woken; it is tried again", { error });
    return clock.nowMs() + backoffMs(this.#failures, random, { initialMs: 1000, maxMs: 30_000 });
  }

  #waitUntil(untilMs: number): void {
    const { clock, wheel } = this.#host;
    this.#nextAtMs = untilMs;
    wheel.remove(this);
    if (untilMs === Infinity) return;
    const waitMs = Math.max(0, Math.min(untilMs - clock.nowMs(), wallCheckMs));
    this.deadlineMs = clock.monotonicMs() + waitMs;
    wheel.add(this);
  }
}
