/**
 * The time that entries live and die by: the server's, so that nodes whose clocks differ agree.
 *
 * What it owns: the best reading of how far the server's wall clock is from this process's
 * monotonic one. Between readings it goes on by the monotonic clock, so a step of the node's own
 * wall clock moves nothing. What may interrupt it: nothing.
 *
 * V1. A reading is good to half its round trip, and the longer ago, the less: clocks drift.
 * V2. A worse reading replaces a better one only where the two cannot both be true: then the server
 *     has another clock, or is another server.
 * V3. Its error is always on the safe side: nothing is judged to be over before it is for sure
 *     (`nowMs`), and nothing is given less time than it was promised (`endMs`): entries, locks and
 *     leases. So two nodes never both hold a lock, however poor their readings; a poor one only
 *     lets things live longer. A small error counts too: a short lock's margin is 10 ms.
 *
 * With `time: "node"` it is the engine's clock and nothing is measured: for tests that own time.
 */

import type { Clock } from "@banyan/kernel";

/** How much two clocks part in a millisecond, at most: 200 parts in a million. */
const DRIFT = 2e-4;
/** Good enough: nobody asks again. */
const GOOD_MS = 25;
/** Questions of one measurement, while their answers are slow. */
const TRIES = 3;

interface Reading {
  /** Server's wall clock minus the monotonic one of here. */
  readonly offsetMs: number;
  /** How wrong that may be at `takenMs`. */
  readonly errorMs: number;
  /** Monotonic. */
  readonly takenMs: number;
}

export class ServerTime {
  readonly #clock: Clock;
  readonly #ask: (() => Promise<number>) | undefined;
  #best: Reading | undefined = undefined;

  /** Without `ask` the time is the clock's. */
  constructor(clock: Clock, ask?: () => Promise<number>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** What is over by this time is over for sure (V3). */
  nowMs(): number {
    return Math.floor(this.#estimateMs() - this.errorMs);
  }

  /** When what is to live so long from now may end at the earliest (V3). */
  endMs(lifeMs: number): number {
    return Math.ceil(this.#estimateMs() + this.errorMs) + lifeMs;
  }

  /** How wrong the time of now may be, either way. */
  get errorMs(): number {
    return this.#best === undefined ? 0 : this.#errorOf(this.#best);
  }

  /** Not even after asking again was there a good answer. */
  get isPoor(): boolean {
    return this.errorMs > GOOD_MS;
  }

  /** Rejects as the first question does, and keeps what it had. */
  async measure(): Promise<void> {
    if (this.#ask === undefined) return;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const askedMs = this.#clock.monotonicMs();
      const serverMs = await this.#ask().catch((error: unknown) => {
        if (tries === 0) throw error;
        return undefined; // the answer before was slow, and is better than none
      });
      if (serverMs === undefined) return;
      const takenMs = this.#clock.monotonicMs();
      const errorMs = (takenMs - askedMs) / 2;
      this.#take({ offsetMs: serverMs - (askedMs + takenMs) / 2, errorMs, takenMs });
      if (errorMs <= GOOD_MS) return;
    }
  }

  #take(reading: Reading): void {
    const known = this.#best;
    if (known !== undefined) {
      const knownErrorMs = this.#errorOf(known);
      const apartMs = Math.abs(reading.offsetMs - known.offsetMs);
      const canBothBe = apartMs <= knownErrorMs + reading.errorMs + 1; // whole milliseconds
      if (canBothBe && reading.errorMs >= knownErrorMs) return;
    }
    this.#best = reading;
  }

  #errorOf({ errorMs, takenMs }: Reading): number {
    return errorMs + (this.#clock.monotonicMs() - takenMs) * DRIFT;
  }

  #estimateMs(): number {
    if (this.#best === undefined) return this.#clock.nowMs();
    return this.#clock.monotonicMs() + this.#best.offsetMs;
  }
}
