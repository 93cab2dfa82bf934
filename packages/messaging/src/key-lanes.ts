/**
 * Messages with one ordering key, one after the other.
 *
 * L1. A key has a holder from the moment its message may start until it is acknowledged or given
 *     up, retries and waits included. Those that come meanwhile wait in its lane, in their order.
 * L2. A key that nothing holds has no lane.
 */

import { Fifo } from "./fifo.ts";
import type { HeldDelivery } from "./held-delivery.ts";

interface Lane {
  holder: HeldDelivery;
  readonly waiting: Fifo<HeldDelivery>;
}

export class KeyLanes {
  readonly #lanes = new Map<string, Lane>();
  #waiting = 0;

  /** Messages that wait for the one before them. */
  get waiting(): number {
    return this.#waiting;
  }

  /** True when it may start: it has no key, or holds it now. Otherwise it waits in its lane. */
  enter(held: HeldDelivery): boolean {
    const key = held.message.orderingKey;
    if (key === undefined) return true;
    const lane = this.#lanes.get(key);
    if (lane === undefined) {
      this.#lanes.set(key, { holder: held, waiting: new Fifo() });
      return true;
    }
    if (lane.holder === held) return true;
    lane.waiting.push(held);
    this.#waiting += 1;
    return false;
  }

  /** A message is through; answers the next of its key, which holds it now. */
  leave(held: HeldDelivery): HeldDelivery | undefined {
    const key = held.message.orderingKey;
    if (key === undefined) return undefined;
    const lane = this.#lanes.get(key);
    if (lane?.holder !== held) return undefined;
    const next = lane.waiting.shift();
    if (next === undefined) {
      this.#lanes.delete(key);
      return undefined;
    }
    this.#waiting -= 1;
    lane.holder = next;
    return next;
  }

  /** Takes those that wait and fit out of their lanes; answers them. */
  takeWaiting(isWanted: (held: HeldDelivery) => boolean): HeldDelivery[] {
    const taken: HeldDelivery[] = [];
    for (const { waiting } of this.#lanes.values()) {
      waiting.removeAll((held) => {
        if (!isWanted(held)) return false;
        taken.push(held);
        return true;
      });
    }
    this.#waiting -= taken.length;
    return taken;
  }
}
