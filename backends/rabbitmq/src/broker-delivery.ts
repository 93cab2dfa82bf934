/** A message that RabbitMQ delivered to this process and that is not acknowledged yet. */

import type { Channel, ConsumeMessage } from "amqplib";
import { HeldDelivery } from "@banyan/messaging/internal";
import type { HeldOwner } from "@banyan/messaging/internal";
import type { Arrived, Passage } from "./wire.ts";

export class BrokerDelivery extends HeldDelivery {
  readonly delivered: ConsumeMessage;
  /** A tag means something on its own channel only. */
  readonly channel: Channel;
  readonly passage: Passage;
  /** The queue it came from, and comes back to. */
  readonly queue: string;
  /** Acknowledged, or given back: the server knows. */
  isSettled = false;

  constructor(
    { message, passage, returns }: Arrived,
    { delivered, channel, queue, owner }: BrokerDeliveryInit,
  ) {
    super(message, owner, delivered.fields.deliveryTag);
    this.delivered = delivered;
    this.channel = channel;
    this.passage = passage;
    this.queue = queue;
    this.attempt = passage.attempt + returns;
    this.failures = passage.failures;
  }

  /** False: its channel is gone, and it will be delivered again. */
  acknowledge(): boolean {
    return this.#settle(() => this.channel.ack(this.delivered));
  }

  giveBack(): boolean {
    return this.#settle(() => this.channel.nack(this.delivered, false, true));
  }

  #settle(tell: () => void): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    try {
      tell();
      return true;
    } catch {
      return false; // the channel has ended: the server gives the message to somebody again
    }
  }
}

export interface BrokerDeliveryInit {
  readonly delivered: ConsumeMessage;
  readonly channel: Channel;
  readonly queue: string;
  readonly owner: HeldOwner;
}
