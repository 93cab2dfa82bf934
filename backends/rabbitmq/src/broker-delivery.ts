/** A message that RabbitMQ delivered to this process and that is not acknowledged yet. */

import type { ConsumeMessage } from "amqplib";
import { kernelErrors } from "@banyan/kernel/internal";
import { HeldDelivery, leaseLost } from "@banyan/messaging/internal";
import type { Burial, HeldOwner } from "@banyan/messaging/internal";
import type { QueueIntake } from "./queue-intake.ts";
import type { Group } from "./registry.ts";
import type { Arrived, Passage } from "./wire.ts";

const lostMax = 10;
const lostAheadMax = 100; // of a partition: most of what is delivered was in no handler

/** How often it is looked whether the server knows that what is back in its place was taken. */
export const recountPauseMs = 5;

export class BrokerDelivery extends HeldDelivery {
  readonly delivered: ConsumeMessage;
  /** Where it came from: a tag means something on its own channel only. */
  readonly intake: QueueIntake;
  readonly passage: Passage;
  /** Wall clock before which it is not handled. */
  readonly dueMs: number;
  readonly isRetry: boolean;
  /** Deliveries that ended neither well nor badly: of a process that died, or gave it back. */
  readonly returns: number;
  /**
   * It came back, and its queue counts no deliveries: a classic one. It goes there anew with its
   * attempts before it is handled, so that the next return is another one.
   */
  readonly isUncounted: boolean;
  /** It went there anew: what it was before may not be acknowledged yet. */
  readonly isRecounted: boolean;
  /** Acknowledged, or given back: the server knows. */
  isSettled = false;

  constructor(
    { message, passage, returns, isUncounted, isRecounted }: Arrived,
    { delivered, intake, owner }: BrokerDeliveryInit,
  ) {
    super(message, owner, delivered.fields.deliveryTag);
    this.delivered = delivered;
    this.intake = intake;
    this.passage = passage;
    const note = intake.notes?.find(message.id);
    // A partition is delivered ahead of its handlers: the server's count says nothing of attempts.
    const counted = intake.notes === undefined ? passage.attempt + returns : passage.attempt;
    this.attempt = Math.max(note?.attempt ?? 0, counted);
    this.failures = Math.max(note?.failures ?? 0, passage.failures);
    this.isUncounted = isUncounted && intake.notes === undefined;
    this.isRecounted = isRecounted;
    this.returns = intake.notes === undefined ? this.attempt - this.failures : returns;
    this.dueMs = note?.dueMs ?? passage.dueMs;
    this.isRetry = note !== undefined || passage.isRetry;
  }

  /** The queue it came from, and comes back to. */
  get queue(): string {
    return this.intake.source.queue;
  }

  /** Of an ordered group: it waits for its next try where it is. */
  get isOrdered(): boolean {
    return this.intake.notes !== undefined;
  }

  /** It waited for a group of this name that was removed; only what comes back can say so. */
  isOfAnotherLife({ life }: Group, back: string): boolean {
    if (this.passage.life === undefined || this.delivered.fields.exchange !== back) return false;
    return this.passage.life !== life;
  }

  /** Were it handled now and this process died of it, both would come again. */
  isTwiceIn(all: Iterable<BrokerDelivery>): boolean {
    for (const { place, message } of all) {
      if (place === "retrying" && message.id === this.message.id) return true;
    }
    return false;
  }

  /** Something is under way that ends with its acknowledgement. */
  get isBusy(): boolean {
    return this.place === "running" || this.place === "burying" || this.place === "retrying";
  }

  /** False: its channel is gone, and it will be delivered again. */
  acknowledge(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.intake.acks.acknowledge(this.delivered);
    return true;
  }

  giveBack(): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.intake.acks.giveBack(this.delivered);
  }
}

export interface BrokerDeliveryInit {
  readonly delivered: ConsumeMessage;
  readonly intake: QueueIntake;
  readonly owner: HeldOwner;
}

/** Why it is given up before any handler has it; `undefined`: it is not. */
export function burialOf(
  { message, isOrdered, returns }: BrokerDelivery,
  { damage }: Arrived,
): Burial | undefined {
  if (damage !== undefined) return { reason: "unreadable", error: damage };
  // So many processes may die of a message.
  if (returns < (isOrdered ? lostAheadMax : lostMax)) return undefined;
  return { reason: "lease-lost", error: leaseLost(message.id, returns) };
}

/** A subscription only ever has what it took itself. */
export function ours(held: HeldDelivery): BrokerDelivery {
  if (held instanceof BrokerDelivery) return held;
  throw kernelErrors.INTERNAL("A subscription was handed a message that is not its own.");
}
