/**
 * What was handed over and is not answered yet, by key: what the next write of a key will find, if
 * what is under way succeeds.
 *
 * What it owns: for each key the newest such write, until its answer is there; and what was read
 * last of keys that nothing is under way for. What may interrupt it: nothing; it changes in the
 * turns in which writes are handed over and answered.
 *
 * P1. A key is here from the hand-over of a write to the answer of its newest one.
 * P2. A write whose condition cannot be judged here, because nothing was read, is `open`: whoever
 *     wants to know what it leaves waits for its answer.
 */

import type { EngineEntry } from "../engine.ts";

/** One entry as it stands, or as a write will leave it. */
export interface StandingEntry {
  /** `undefined`: it is not there. */
  readonly entry: EngineEntry | undefined;
  /** Wall clock; `null` without a time to live. */
  readonly expiresAt: number | null;
}

export type PendingEntry =
  | (StandingEntry & { readonly kind: "known"; readonly key: string })
  | { readonly kind: "open"; readonly key: string; readonly answered: PromiseWithResolvers<void> };

const READS_MAX = 1000; // an update uses what it read in the same turn; more is a leak

export class PendingEntries {
  readonly #pending = new Map<string, PendingEntry>();
  readonly #reads = new Map<string, StandingEntry>();

  get(key: string): PendingEntry | undefined {
    return this.#pending.get(key);
  }

  /** What a write of this key will find, as far as it is known here without asking. */
  standing(key: string): StandingEntry | undefined {
    const pending = this.#pending.get(key);
    if (pending === undefined) return this.#reads.get(key);
    return pending.kind === "known" ? pending : undefined;
  }

  /** The server's answer, for a key that nothing is under way for. */
  noteRead(key: string, standing: StandingEntry): void {
    if (this.#reads.size >= READS_MAX) this.#reads.clear();
    this.#reads.set(key, standing);
  }

  add(pending: PendingEntry): void {
    this.#reads.delete(pending.key);
    this.#pending.set(pending.key, pending);
  }

  /** Its write was answered; a newer one of the key stays. */
  remove(pending: PendingEntry): void {
    this.#reads.delete(pending.key);
    if (this.#pending.get(pending.key) === pending) this.#pending.delete(pending.key);
    if (pending.kind === "open") pending.answered.resolve();
  }
}
