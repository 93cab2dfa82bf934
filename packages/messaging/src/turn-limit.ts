/**
 * How many handlers a queue may start in one turn of the event loop: for a few milliseconds, and
 * never more than some thousand. A flood of messages must not starve timers and sockets.
 */

import type { Clock } from "@banyan/kernel";

const startsMax = 4096;
const turnMaxMs = 4;
const clockEvery = 32; // starts between two looks at the clock: a power of two

export class TurnLimit {
  readonly #clock: Clock;
  readonly #onNextTurn: () => void;
  #starts = 0;
  #endsMs = 0;

  /** @param onNextTurn called when the next turn has come, after a turn with starts */
  constructor(clock: Clock, onNextTurn: () => void) {
    this.#clock = clock;
    this.#onNextTurn = onNextTurn;
  }

  /** Counts a start in; false when the turn has had its share. */
  take(): boolean {
    if (this.#starts === 0) {
      this.#endsMs = this.#clock.monotonicMs() + turnMaxMs;
      setImmediate(this.#nextTurn);
    } else if (this.#starts % clockEvery === 0 && this.#isOver()) return false;
    this.#starts += 1;
    return true;
  }

  #isOver(): boolean {
    return this.#starts >= startsMax || this.#clock.monotonicMs() >= this.#endsMs;
  }

  readonly #nextTurn = (): void => {
    this.#starts = 0;
    this.#onNextTurn();
  };
}
