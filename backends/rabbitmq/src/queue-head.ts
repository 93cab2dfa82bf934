/**
 * The beginning of a queue: taken without acknowledging it, as far as is wanted, and given back in
 * its order. A queue has no other way to be looked at, and none into its middle.
 *
 * It is taken in chunks, each by a consumer of its own, which the server gives no more than its
 * prefetch: what lies behind is not touched.
 *
 * E1. Nothing of a message is kept but what the visitor keeps.
 * E2. A quorum queue puts what is given back behind what was given back before, and that before
 *     everything else. So it is taken at least as far as somebody has ever taken it: otherwise its
 *     order would turn.
 */

import type { Channel, ConsumeMessage } from "amqplib";
import type { Clock } from "@banyan/kernel";

/** Messages of one consumer. */
const chunkMax = 256;

/** A queue that gives nothing for so long has no more: somebody has emptied it meanwhile. */
const silenceMaxMs = 2000;

export interface Visitor {
  /** True: the visitor settles it itself. */
  visit(message: ConsumeMessage): boolean;
  /** Nothing more is wanted. */
  isDone(): boolean;
}

export class QueueHead {
  readonly #channel: Channel;
  readonly #clock: Clock;
  /** Of each chunk the last message that is to go back, without its body. */
  readonly #ends: ConsumeMessage[] = [];

  /** @param channel of nobody else */
  constructor(channel: Channel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Shows the first messages, in their order; answers how many there were in all. */
  async take(queue: string, visitor: Visitor): Promise<number> {
    const { messageCount } = await this.#channel.checkQueue(queue);
    let taken = 0;
    while (taken < messageCount) {
      const wanted = Math.min(chunkMax, messageCount - taken);
      const chunk = await this.#takeChunk(queue, wanted, visitor);
      taken += chunk.count;
      if (chunk.last !== undefined) this.#ends.push(chunk.last);
      if (chunk.count < wanted || (visitor.isDone() && !chunk.wasTakenBefore)) break;
    }
    return messageCount;
  }

  /** Everything that is not settled goes back, and what the visitor kept and did not settle. */
  giveBack(kept: readonly ConsumeMessage[]): void {
    const ends = [...this.#ends, ...kept];
    const order = ends.toSorted((a, b) => a.fields.deliveryTag - b.fields.deliveryTag);
    for (const end of order) this.#channel.nack(end, true, true);
  }

  async #takeChunk(queue: string, count: number, visitor: Visitor) {
    const chunk = {
      count: 0,
      last: undefined as ConsumeMessage | undefined, // of what goes back
      wasTakenBefore: false,
    };
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const done = (): void => resolve(undefined);
    let cancelSilence = this.#clock.setTimer(silenceMaxMs, done, { keepAlive: true });
    this.#channel.once("close", done);
    await this.#channel.prefetch(count);
    const { consumerTag } = await this.#channel.consume(queue, (message) => {
      if (message !== null) {
        chunk.count += 1;
        chunk.wasTakenBefore = wasGivenBack(message);
        if (!visitor.visit(message)) chunk.last = { ...message, content: nothing };
        cancelSilence();
        cancelSilence = this.#clock.setTimer(silenceMaxMs, done, { keepAlive: true });
      }
      if (message === null || chunk.count >= count) done();
    });
    await promise;
    cancelSilence();
    this.#channel.off("close", done);
    await this.#channel.cancel(consumerTag);
    return chunk;
  }
}

const nothing = Buffer.alloc(0);

/** Only quorum queues count that; others put everything back to where it was. */
function wasGivenBack({ properties }: ConsumeMessage): boolean {
  const count: unknown = properties.headers?.["x-delivery-count"];
  return typeof count === "number" && count > 0;
}
