/**
 * Lanes: updates of one key run one after the other in this process, so that a hot key costs no
 * conflicts here and the optimistic loop is left with other processes.
 *
 * I1. A lane has one holder; a key without waiters and holder takes no memory.
 * I2. Waiters enter in the order they came; one whose signal is aborted leaves at once.
 */

import type { Waiting } from "@banyan/kernel";

type Start = () => void;

export class KeyLanes {
  /** Keys being updated, each with those that wait behind the holder. */
  readonly #lanes = new Map<string, Set<Start>>();

  /** How many wait for this key. */
  waiting(key: string): number {
    return this.#lanes.get(key)?.size ?? 0;
  }

  /** Takes the lane at once, or a promise of it. The signal is asked for only by who must wait. */
  enter(key: string, waiting: Waiting): Promise<void> | undefined {
    const lane = this.#lanes.get(key);
    if (lane === undefined) {
      this.#lanes.set(key, new Set());
      return undefined;
    }
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

  /** The holder is done: the next one holds the lane. */
  leave(key: string): void {
    const lane = this.#lanes.get(key);
    const [next] = lane ?? [];
    if (lane === undefined || next === undefined) {
      this.#lanes.delete(key);
      return;
    }
    lane.delete(next);
    next();
  }
}
