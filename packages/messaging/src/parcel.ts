/**
 * One message on its way into the queues of its topic: room is taken in all of them, and nothing is
 * delivered yet. Exactly one of `deliver` and `drop` is called, once.
 */

import type { OutgoingMessage } from "./bus.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import type { JournalAppend } from "./journal.ts";

export class Parcel {
  readonly message: OutgoingMessage;
  /** Those of the moment in which it was made (`topic-index.ts`, I1). */
  readonly queues: readonly DeliveryQueue[];
  /** Of a staged one: given when it is handed over. */
  seq: number;

  /** The caller has seen that all queues have room. */
  constructor(message: OutgoingMessage, queues: readonly DeliveryQueue[], seq: number) {
    this.message = message;
    this.queues = queues;
    this.seq = seq;
    for (const queue of queues) queue.reserve();
  }

  /** What the journal must keep of it: nothing where no group gets it. */
  get append(): JournalAppend | undefined {
    const { message, seq } = this;
    const groups: JournalAppend["groups"][number][] = [];
    for (const { window } of this.queues) {
      if (window !== undefined) groups.push({ group: window.group, seq });
    }
    if (groups.length === 0) return undefined;
    const { deliverAtMs, expiresAtMs } = message;
    return { message, deliverAtMs, expiresAtMs, groups };
  }

  /** It is handed to the journal. */
  handOver(): void {
    if (this.message.deliverAtMs !== undefined) return; // sleeps outside the queues
    for (const { window } of this.queues) window?.expect(this.seq);
  }

  /** It is safe. */
  deliver(): void {
    for (const queue of this.queues) queue.arrive(this.message, this.seq);
  }

  /** It was not kept. */
  drop(): void {
    for (const queue of this.queues) {
      queue.window?.forget(this.seq);
      queue.release();
    }
  }
}

/** What the journal must keep of them. */
export function appendsOf(parcels: readonly Parcel[]): JournalAppend[] {
  const appends: JournalAppend[] = [];
  for (const { append } of parcels) if (append !== undefined) appends.push(append);
  return appends;
}
