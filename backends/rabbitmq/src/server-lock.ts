/** A lock of the whole fleet: a queue that belongs to one connection and ends with it. */

import type { ChannelModel } from "amqplib";
import { codeOf } from "./errors.ts";

/** `taken`: another has it, and nothing was done. */
export async function withLock<T>(
  connection: ChannelModel,
  queue: string,
  use: () => Promise<T>,
): Promise<{ readonly value: T } | "taken"> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // told by what was asked
  try {
    await channel.assertQueue(queue, { exclusive: true, durable: false, autoDelete: true });
  } catch (error) {
    if (codeOf(error) === 405) return "taken";
    throw error;
  }
  try {
    return { value: await use() };
  } finally {
    await channel.deleteQueue(queue).catch(() => undefined); // it ends with the connection
    await channel.close().catch(() => undefined);
  }
}
