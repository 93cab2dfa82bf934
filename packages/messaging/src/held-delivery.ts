/** One message on its way through one queue: where it is, how often it was tried. */

import type { TimingWheel, WheelEntry } from "@banyan/kernel/internal";
import type { DeadLetter, OutgoingMessage } from "./bus.ts";

/** What waits on the bus's wheel. */
export interface Timed extends WheelEntry {
  onDue(): void;
}

export type BusWheel = TimingWheel<Timed>;

/**
 * Where a held message is; exactly one of these. `ready`: in the buffer, or in the lane of its key.
 */
export type HeldPlace = "ready" | "running" | "retrying" | "delayed" | "burying";

/** A message that is being given up: its letter, and how often keeping that failed. */
export interface PendingLetter {
  readonly letter: DeadLetter;
  failures: number;
}

/** The queue it is in: told when a wait is over. */
export interface HeldOwner {
  due(held: HeldDelivery): void;
}

/** Who handles it: told when its lease is over. */
export interface HeldWorker {
  expire(reason: Error): void;
}

/**
 * Carries its own links for the wheel: the one wait it can have at a time (its lease, its retry,
 * its delay) costs no timer and no closure.
 */
export class HeldDelivery implements Timed {
  readonly message: OutgoingMessage;
  readonly #owner: HeldOwner;
  /** Its number in the queue: ascending in the order in which the bus took the messages in. */
  readonly seq: number;
  /**
   * Wall clock of its publication; of a delayed one, of its time; of a dead letter, of its redrive.
   * Not kept of what a journal has: that has its own.
   */
  queuedAtMs: number;
  /** Deliveries so far. */
  attempt = 0;
  /** Failed ones among them; what a leaving member gave back did not fail. */
  failures = 0;
  /**
   * -1: published in this run. Otherwise an earlier run kept it: so many of its deliveries began
   * and were never heard of again.
   */
  lost = -1;
  /** On its way: the record that one more begins (`start-records.ts`). */
  record: Promise<void> | undefined = undefined;
  place: HeldPlace = "ready";
  /** While it is running. */
  worker: HeldWorker | undefined = undefined;
  /** While it is burying. */
  pending: PendingLetter | undefined = undefined;
  deadlineMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(message: OutgoingMessage, owner: HeldOwner, seq: number) {
    this.message = message;
    this.#owner = owner;
    this.seq = seq;
    this.queuedAtMs = message.timestampMs;
  }

  onDue(): void {
    this.#owner.due(this);
  }
}
