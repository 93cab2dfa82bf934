/**
 * Lanes: updates of one key run one after the other in this process, so that a hot key costs no
 * conflicts here and the optimistic loop is left with other processes. Being in a lane is a
 * courtesy: what makes an update right is the condition of its write.
 *
 * I1. A lane has one holder; a key without waiters and holder takes no memory.
 * I2. Waiters enter in the order they came; one whose signal is aborted leaves at once.
 * I3. At most `TURN_MAX` lanes are handed over before the event loop gets a turn: on an embedded
 *     engine an update never waits, and a row of thousands would starve timers and sockets.
 */

import type { Waiting } from "@banyan/kernel";

type Start = () => void;

const TURN_MAX = 128; // under a millisecond where the engine answers at once
let lanesMade = 0;

export class KeyLanes {
  /** Place in the order in which somebody who needs several lanes must enter them. */
  readonly order = (lanesMade += 1);
  /** Keys being updated, each with those that wait behind the holder, once there are such. */
  readonly #lanes = new Map<string, Set<Start> | undefined>();
  /** Lanes to be handed over in a later turn; each still counts as held. */
  readonly #deferred: string[] = [];
  #handovers = 0;

  /** How many wait for this key. */
  waiting(key: string): number {
    return this.#lanes.get(key)?.size ?? 0;
  }

  /** Takes the lane at once, or a promise of it. The signal is asked for only by who must wait. */
  enter(key: string, waiting: Waiting): Promise<void> | undefined {
    const waiters = this.#lanes.get(key);
    if (waiters === undefined && !this.#lanes.has(key)) {
      this.#lanes.set(key, undefined);
      return undefined;
    }
    const lane = waiters ?? new Set<Start>();
    this.#lanes.set(key, lane);
    const { signal } = waiting;
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = (): void => {
        lane.delete(start);
        // The store above turns the reason, whatever it is, into an error of its own.
        reject(signal?.reason);
      };
      lane.add(start);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** The holder is done: the next one holds the lane, now or in a later turn (I3). */
  leave(key: string): void {
    if (this.waiting(key) === 0) {
      this.#lanes.delete(key);
      return;
    }
    if (this.#handovers === 0) setImmediate(this.#nextTurn);
    this.#handovers += 1;
    if (this.#handovers <= TURN_MAX) this.#handOver(key);
    else this.#deferred.push(key);
  }

  #handOver(key: string): void {
    const lane = this.#lanes.get(key);
    const [next] = lane ?? [];
    if (lane === undefined || next === undefined) {
      // Whoever waited was aborted meanwhile.
      this.#lanes.delete(key);
      return;
    }
    lane.delete(next);
    next();
  }

  readonly #nextTurn = (): void => {
    const keys = this.#deferred.splice(0, TURN_MAX);
    this.#handovers = keys.length;
    if (keys.length > 0) setImmediate(this.#nextTurn);
    for (const key of keys) this.#handOver(key);
  };
}
