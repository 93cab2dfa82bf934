/**
 * Subject: amqplib by hand, with the information that ours carries: an id, a time, where it comes
 * from. A connection to publish on a confirm channel, another to consume.
 * Arguments: URL, type of the queue.
 */

import { connect } from "amqplib";
import { systemIds } from "@banyan/kernel";
import type { Stored } from "../embedded/records.ts";
import { serveMessenger } from "./messenger.ts";
import { openDesk } from "./rabbitmq-desk.ts";

const [url = "", queueType = ""] = process.argv.slice(2);
const topic = "bench.made";
const exchange = `bench.raw.${queueType}`;
const queue = `${exchange}.group`;
const desk = await openDesk(url);
await desk.declare({ exchange, queue, topic, queueType });
const publishing = await connect(url, { noDelay: true });
const consuming = await connect(url, { noDelay: true });
const channel = await publishing.createConfirmChannel();

function publish(body: Stored): Promise<void> {
  const timestampMs = Date.now();
  const properties = {
    messageId: systemIds.uuid(),
    timestamp: Math.floor(timestampMs / 1000),
    contentType: "application/json",
    deliveryMode: 2,
    headers: { source: "bench", schemaVersion: "1", "x-timestamp": timestampMs },
  };
  const content = Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    channel.publish(exchange, topic, content, properties, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}

async function consume(handle: (body: Stored) => void): Promise<() => Promise<void>> {
  const consumer = await consuming.createChannel();
  await consumer.prefetch(100);
  const { consumerTag } = await consumer.consume(queue, (message) => {
    if (message === null) return;
    // What was published above; nobody else writes to this queue.
    handle(JSON.parse(message.content.toString()) as Stored);
    consumer.ack(message);
  });
  return async () => {
    // A channel that is closed at once loses the last acknowledgements of a quorum queue.
    await consumer.cancel(consumerTag);
    await consumer.close();
  };
}

serveMessenger({ publish, consume, purge: () => desk.purge(queue) });
