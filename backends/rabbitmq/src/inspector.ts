/**
 * Looks at queues without touching them. A queue that is not there ends the channel it is asked on,
 * so the channel is made anew when it is needed.
 */

import type { Channel, ChannelModel } from "amqplib";
import { codeOf } from "./errors.ts";

export interface QueueDepth {
  /** Messages that nobody has yet. */
  readonly ready: number;
  readonly consumers: number;
}

const triesMax = 5;

export class Inspector {
  readonly #connection: () => ChannelModel;
  #channel: Promise<Channel> | undefined = undefined;

  /** @param connection throws where there is none */
  constructor(connection: () => ChannelModel) {
    this.#connection = connection;
  }

  /** `undefined`: there is no such queue. @throws where there is no connection */
  async depth(queue: string): Promise<QueueDepth | undefined> {
    for (let tries = 1; ; tries += 1) {
      const opening = this.#open();
      const channel = await opening;
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        return { ready: messageCount, consumers: consumerCount };
      } catch (error) {
        if (this.#channel === opening) this.#channel = undefined;
        if (codeOf(error) === 404) return undefined;
        // Another question on the same channel may have ended it.
        if (tries >= triesMax) throw error;
      }
    }
  }

  /** The connection is gone. */
  down(): void {
    this.#channel = undefined;
  }

  #open(): Promise<Channel> {
    if (this.#channel !== undefined) return this.#channel;
    const opening = this.#openChannel();
    this.#channel = opening;
    opening.catch(() => {
      if (this.#channel === opening) this.#channel = undefined;
    });
    return opening;
  }

  async #openChannel(): Promise<Channel> {
    const channel = await this.#connection().createChannel();
    channel.on("error", () => undefined); // the question that ended it is told
    return channel;
  }
}
