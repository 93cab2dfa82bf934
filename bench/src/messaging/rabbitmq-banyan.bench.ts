/**
 * Subject: the bus on RabbitMQ; one group, published and handled in one process.
 * Arguments: URL, type of the queue.
 */

import { systemIds } from "@banyan/kernel";
import { openRabbitmqBus } from "@banyan/rabbitmq";
import type { Stored } from "../embedded/records.ts";
import { serveMessenger } from "./messenger.ts";
import { openDesk } from "./rabbitmq-desk.ts";

const [url = "", queueType = ""] = process.argv.slice(2);
if (queueType !== "quorum" && queueType !== "classic") throw new Error(`What is ${queueType}?`);
const namespace = `bench-${queueType}`;
const topic = "bench.made";
const group = "bench.takers";
const desk = await openDesk(url);
const bus = await openRabbitmqBus({ url, queueType, namespace });
const headers = Object.freeze({ source: "bench", schemaVersion: "1" });

function publish(body: Stored): Promise<void> {
  const message = { id: systemIds.uuid(), topic, timestampMs: Date.now(), body, headers };
  return bus.publish(message, { owned: true });
}

async function consume(handle: (body: Stored) => void): Promise<() => Promise<void>> {
  const spec = { name: group, topic, delivery: "group", concurrency: 100 } as const;
  const subscription = await bus.subscribe(spec, ({ message }) => {
    // What was published above; nobody else publishes here.
    handle(message.body as Stored);
  });
  return () => subscription.close();
}

// A group exists from its first subscription on, and keeps what comes without members.
const stop = await consume(() => undefined);
await stop();

// The queue of a group, as decision 0058 names it.
serveMessenger({ publish, consume, purge: () => desk.purge(`${namespace}.group.${group}`) });
