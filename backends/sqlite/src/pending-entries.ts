/**
 * What was handed to the writer thread and is not answered yet, by key: what the next write of a
 * key will find, if what is under way succeeds.
 *
 * What it owns: for each key the newest such write, until its answer is there. What may interrupt
 * it: nothing; it changes in the turns in which writes are handed over and answered.
 *
 * P1. A key is here from the hand-over of a write to the answer of its newest one.
 */

import type { EngineEntry } from "@banyan/state";

/** One entry as a write will leave it. */
export interface PendingEntry {
  readonly key: string;
  /** `undefined`: it is deleted. */
  readonly entry: EngineEntry | undefined;
  /** Wall clock; `Infinity` without a time to live. */
  readonly expiresAt: number;
}

export class PendingEntries {
  readonly #entries = new Map<string, PendingEntry>();

  get(key: string): PendingEntry | undefined {
    return this.#entries.get(key);
  }

  add(pending: PendingEntry): void {
    this.#entries.set(pending.key, pending);
  }

  /** Its write was answered; a newer one of the key stays. */
  remove(pending: PendingEntry): void {
    if (this.#entries.get(pending.key) === pending) this.#entries.delete(pending.key);
  }
}
