/** By hand on RabbitMQ, in a subject's process: declares and empties, beside what is measured. */

import { connect } from "amqplib";
import type { Channel, Options } from "amqplib";

export interface Route {
  readonly exchange: string;
  readonly queue: string;
  readonly topic: string;
  readonly queueType: string;
}

export interface RabbitmqDesk {
  /** A durable topic exchange, a durable queue, bound. */
  declare(route: Route): Promise<void>;
  /** How many were ready in the queue and are not any more. */
  purge(queue: string): Promise<number>;
}

/** Its connection lives as long as the process. */
export async function openDesk(url: string): Promise<RabbitmqDesk> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  return {
    declare: (route) => declareRoute(channel, route),
    purge: async (queue) => (await channel.purgeQueue(queue)).messageCount,
  };
}

export function queueOptions(queueType: string): Options.AssertQueue {
  return { durable: true, arguments: { "x-queue-type": queueType } };
}

async function declareRoute(
  channel: Channel,
  { exchange, queue, topic, queueType }: Route,
): Promise<void> {
  await channel.assertExchange(exchange, "topic", { durable: true });
  await channel.assertQueue(queue, queueOptions(queueType));
  await channel.bindQueue(queue, exchange, topic);
}
