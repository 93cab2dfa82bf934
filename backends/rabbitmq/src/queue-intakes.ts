/**
 * The queues that one subscription takes from, on whatever connection there is.
 *
 * What it owns: those that are open, and the pause before what is missing is opened again.
 * What may interrupt it: the connection, the server (a queue was deleted), the close.
 */

import type { ChannelModel, ConsumeMessage } from "amqplib";
import { QueueIntake } from "./queue-intake.ts";
import type { Source } from "./queue-intake.ts";
import type { OpenSubscription, SubscriptionHost } from "./subscription-host.ts";

/** A queue that was deleted by hand is made again after this. */
const restorePauseMs = 200;

export interface QueueIntakesPorts {
  readonly host: SubscriptionHost;
  readonly subscription: OpenSubscription;
  readonly arrived: (delivered: ConsumeMessage, intake: QueueIntake) => void;
  /** Its channel is gone, and with it what came on it. */
  readonly closed: (intake: QueueIntake) => void;
}

export class QueueIntakes implements Iterable<QueueIntake> {
  readonly #ports: QueueIntakesPorts;
  #open: QueueIntake[] = [];
  #sourceCount = 0;
  #isRestoring = false;
  #isClosing = false;

  constructor(ports: QueueIntakesPorts) {
    this.#ports = ports;
  }

  /** There were queues to take from at least once. */
  get wasOpen(): boolean {
    return this.#sourceCount > 0;
  }

  [Symbol.iterator](): Iterator<QueueIntake> {
    return this.#open[Symbol.iterator]();
  }

  /** Opens what is not open, on this connection. @throws what the server refuses */
  async open(connection: ChannelModel): Promise<void> {
    const { host, subscription } = this.#ports;
    const sources = await host.prepare(subscription, connection);
    this.#sourceCount = sources.length;
    for (const source of sources) {
      if (this.#isClosing) return;
      const isOpen = this.#open.some((intake) => intake.source.queue === source.queue);
      if (!isOpen) await this.#openOne(connection, source);
    }
  }

  /** There is a connection again. */
  openAgain(): void {
    if (this.#open.length === 0) this.#restore(0);
  }

  /** The connection is gone. */
  down(): void {
    this.#open = [];
  }

  /** From now on nothing is opened any more. */
  stop(): void {
    this.#isClosing = true;
  }

  /** Closes those that are open. */
  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((intake) => intake.close()));
  }

  async #openOne(connection: ChannelModel, source: Source): Promise<void> {
    const { host, subscription, arrived } = this.#ports;
    const { name, id } = subscription;
    const intake = await QueueIntake.open(connection, source, {
      outbound: host.outbound,
      tag: `${id}.${source.queue}`.slice(0, 255),
      onMessage: arrived,
      onClosed: (closed) => this.#closed(closed),
      onError: (error) => {
        const fields = { subscription: name, error };
        host.log.error("RabbitMQ ended the channel of a subscription", fields);
      },
    });
    if (this.#isClosing) await intake.close();
    else this.#open.push(intake);
  }

  /** Perhaps its channel alone, and not the connection: what is missing is opened again. */
  #closed(intake: QueueIntake): void {
    this.#open = this.#open.filter((each) => each !== intake);
    this.#ports.closed(intake);
    if (intake.isYielding) this.#restore(0);
    else if (!this.#isClosing) this.#restore();
  }

  #restore(pauseMs = restorePauseMs): void {
    const { host } = this.#ports;
    if (this.#isRestoring || host.connection() === undefined) return;
    this.#isRestoring = true;
    host.clock.setTimer(pauseMs, () => void this.#restoreNow());
  }

  async #restoreNow(): Promise<void> {
    const { host, subscription } = this.#ports;
    const connection = host.connection();
    try {
      if (!this.#isClosing && connection !== undefined) await this.open(connection);
    } catch (error) {
      const fields = { subscription: subscription.name, error };
      host.log.error("a subscription could not be opened again and is tried again", fields);
    }
    this.#isRestoring = false;
    if (!this.#isClosing && this.#open.length < this.#sourceCount) this.#restore();
  }
}
