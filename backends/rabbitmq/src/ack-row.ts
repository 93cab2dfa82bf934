/**
 * The acknowledgements of one channel: told to the server once a turn of the event loop, all up to
 * the first that is still open in one word. It costs two fifths less than a word for each.
 *
 * A1. One word for several messages covers none that is still open: everything that the channel
 *     delivers is entered here.
 */

import type { Channel, ConsumeMessage } from "amqplib";

export class AckRow {
  readonly #channel: Channel;
  /** Tags that are neither acknowledged nor given back, in their order. */
  readonly #open = new Set<number>();
  /** What the server is not told of yet. */
  #acknowledged: ConsumeMessage[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  delivered({ fields }: ConsumeMessage): void {
    this.#open.add(fields.deliveryTag);
  }

  acknowledge(delivered: ConsumeMessage): void {
    if (!this.#open.delete(delivered.fields.deliveryTag)) return;
    if (this.#acknowledged.length === 0) setImmediate(this.flush);
    this.#acknowledged.push(delivered);
  }

  /** Somebody else is to handle it, as soon as possible. */
  giveBack(delivered: ConsumeMessage): void {
    if (!this.#open.delete(delivered.fields.deliveryTag)) return;
    try {
      this.#channel.nack(delivered, false, true);
    } catch {
      // The channel has ended: the server gives it to somebody anyway.
    }
  }

  readonly flush = (): void => {
    const acknowledged = this.#acknowledged;
    this.#acknowledged = [];
    const [first = Infinity] = this.#open;
    let last: ConsumeMessage | undefined;
    try {
      for (const delivered of acknowledged) {
        const { deliveryTag } = delivered.fields;
        if (deliveryTag > first) this.#channel.ack(delivered);
        else if (last === undefined || deliveryTag > last.fields.deliveryTag) last = delivered;
      }
      if (last !== undefined) this.#channel.ack(last, true);
    } catch {
      // The channel has ended: they will be delivered again.
    }
  };
}
