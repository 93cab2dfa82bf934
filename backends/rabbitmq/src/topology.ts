/** Declares what the bus needs; declaring twice does nothing (decision 0058). */

import type { Channel, ChannelModel, Options } from "amqplib";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import { codeOf, rabbitmqErrors } from "./errors.ts";
import { keyedPatterns, slotsOf } from "./names.ts";
import type { Names } from "./names.ts";
import type { Group } from "./registry.ts";

/** The exchanges, and the queue that takes what comes back to a group that is gone. */
export async function declareBase(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.gone, "fanout", { durable: true });
  // Nobody reads it, so what comes is dropped at once.
  await channel.assertQueue(names.gone, { durable: true, arguments: { "x-message-ttl": 0 } });
  await channel.bindQueue(names.gone, names.gone, "");
  await channel.assertExchange(names.back, "direct", {
    durable: true,
    alternateExchange: names.gone,
  });
  await channel.assertExchange(names.events, "topic", { durable: true });
  await channel.assertExchange(names.keyed, "topic", { durable: true });
  await channel.assertExchange(names.again, "direct", { durable: true });
  await channel.assertExchange(names.members, "fanout", { durable: true });
}

/**
 * Whether something that `declareBase` made was deleted, and its bindings with it: that ends the
 * channel.
 */
export async function isBaseWhole(channel: Channel, names: Names): Promise<boolean> {
  const { events, keyed, back, gone, again, members } = names;
  try {
    for (const exchange of [events, keyed, back, gone, again, members]) {
      await channel.checkExchange(exchange);
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 404) return false;
    throw error;
  }
}

export async function declareWait(channel: Channel, names: Names, ms: number): Promise<void> {
  const name = names.wait(ms);
  await channel.assertExchange(name, "fanout", { durable: true });
  await channel.assertQueue(name, names.waitQueue(ms));
  await channel.bindQueue(name, name, "");
}

/** The queues of a group, bound to its topic. Those that are there are taken as they are. */
export async function declareGroup(
  connection: ChannelModel,
  names: Names,
  group: Group,
): Promise<void> {
  const { name, topic, ordered, partitions } = group;
  await declareLetters(connection, names, name);
  const main = names.group(name);
  await ensureQueue(connection, main, names.groupQueue(name, false));
  const [all = ""] = keyedPatterns(topic, "all");
  await withChannel(connection, async (channel) => {
    await channel.bindQueue(main, names.back, main);
    await channel.bindQueue(main, names.events, topic);
    if (!ordered) await channel.bindQueue(main, names.keyed, all);
  });
  for (let index = 0; index < partitions; index += 1) {
    const queue = names.partition(name, index);
    await ensureQueue(connection, queue, names.groupQueue(name, true));
    await withChannel(connection, async (channel) => {
      await channel.bindQueue(queue, names.back, queue);
      for (const pattern of keyedPatterns(topic, slotsOf(index, partitions))) {
        if (ordered) await channel.bindQueue(queue, names.keyed, pattern);
        else await channel.unbindQueue(queue, names.keyed, pattern);
      }
    });
  }
  // Last: until then what has a key comes twice rather than not at all.
  if (!ordered) return;
  await withChannel(connection, (channel) => channel.unbindQueue(main, names.keyed, all));
}

/**
 * The queue of one broadcast, and the way of redriven letters into it, which is the connection's
 * own. Answers whether the queue was there.
 */
export async function declareLive(
  connection: ChannelModel,
  names: Names,
  { id, spec }: { readonly id: string; readonly spec: ResolvedSubscribeSpec },
): Promise<boolean> {
  const queue = names.live(spec.name, id);
  const again = names.againTo(id);
  const wasThere = await ensureQueue(connection, queue, names.liveQueue(spec.bufferMax));
  await withChannel(connection, async (channel) => {
    await channel.bindQueue(queue, names.events, spec.topic);
    for (const pattern of keyedPatterns(spec.topic, "all")) {
      await channel.bindQueue(queue, names.keyed, pattern);
    }
    await channel.bindQueue(queue, names.back, queue);
    await channel.assertQueue(again, names.againQueue(queue));
    await channel.bindQueue(again, names.again, spec.name);
  });
  return wasThere;
}

/** The queues of a broadcast that is closed. */
export async function deleteLive(
  connection: ChannelModel,
  names: Names,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<void> {
  await withChannel(connection, async (channel) => {
    await channel.deleteQueue(names.againTo(id));
    await channel.deleteQueue(names.live(name, id));
  });
}

export async function declareOverflow(connection: ChannelModel, names: Names): Promise<void> {
  await ensureQueue(connection, names.overflow, names.overflowQueue);
}

export async function declareLetters(
  connection: ChannelModel,
  names: Names,
  name: string,
): Promise<void> {
  await ensureQueue(connection, names.dead(name), names.deadQueue);
}

/** All queues of a group but that of its dead letters. */
export function queuesOf(names: Names, { name, partitions }: Group): readonly string[] {
  const parts = Array.from({ length: partitions }, (_, index) => names.partition(name, index));
  return [names.group(name), ...parts];
}

/**
 * Makes a queue where there is none; one that is there may be of another type. Answers whether it
 * was there.
 */
async function ensureQueue(
  connection: ChannelModel,
  queue: string,
  options: Options.AssertQueue,
): Promise<boolean> {
  try {
    await withChannel(connection, (channel) => channel.checkQueue(queue));
    return true;
  } catch (error) {
    if (codeOf(error) !== 404) throw error;
  }
  try {
    await withChannel(connection, (channel) => channel.assertQueue(queue, options));
  } catch (error) {
    if (codeOf(error) !== 406) throw error;
    // Made by another node meanwhile, which wants another type: it is there, that is enough.
    await withChannel(connection, (channel) => channel.checkQueue(queue));
  }
  return false;
}

/** A channel for one thing: what the server refuses ends it. */
export async function withChannel<T>(
  connection: ChannelModel,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // told by what was asked
  try {
    return await use(channel);
  } catch (error) {
    if (codeOf(error) === 403) {
      throw rabbitmqErrors.RABBITMQ_REFUSED(
        "RabbitMQ does not let the user do what the bus needs.",
        {
          cause: error,
        },
      );
    }
    throw error;
  } finally {
    await channel.close().catch(() => undefined); // the server may have ended it
  }
}
