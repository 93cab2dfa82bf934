/**
 * How fast the memory bus moves messages, publish to handler:
 * `node --conditions=source packages/messaging/bench/bus.bench.ts`.
 *
 * The floor beside it is an EventEmitter: no buffer, no copy, no retry, no acknowledgement.
 */

import { EventEmitter } from "node:events";
import { defineContract, t } from "@banyan/kernel";
import type { Bus, DeliveryHandler, DeliveryMode, OutgoingMessage } from "../src/index.ts";
import { createPublisher, openMemoryBus } from "../src/index.ts";

const ROUNDS = 9;
const MESSAGES = 100_000;
const BATCH = 100;

const id = "0197a0b0-0000-7000-8000-000000000001";
const headers = Object.freeze({ source: "bench", schemaVersion: "1" });
const bodyOf = (count: number): object => ({ name: "Ada", count });
const messageOf = (count: number): OutgoingMessage => {
  return { id, topic: "bench.made", timestampMs: 0, body: bodyOf(count), headers };
};

interface Setup {
  readonly subscribers: number;
  readonly delivery: DeliveryMode;
  readonly batch: number;
  readonly handler?: (done: () => void) => DeliveryHandler;
}

/** Million messages a second from publish to the last handler's end. */
async function rateOf({ subscribers, delivery, batch, handler }: Setup): Promise<number> {
  const bus = openMemoryBus();
  const total = MESSAGES * (delivery === "group" ? 1 : subscribers);
  const finished = Promise.withResolvers<void>();
  let handled = 0;
  const count = (): void => {
    handled += 1;
    if (handled === total) finished.resolve();
  };
  const own = handler?.(count) ?? count;
  for (let n = 0; n < subscribers; n += 1) {
    await bus.subscribe({ name: "bench.sub", topic: "bench.made", delivery }, own);
  }
  const startedMs = performance.now();
  await publishAll(bus, batch);
  await finished.promise;
  const seconds = (performance.now() - startedMs) / 1000;
  await bus.close();
  return MESSAGES / seconds / 1e6;
}

async function publishAll(bus: Bus, batch: number): Promise<void> {
  const options = { owned: true };
  for (let sent = 0; sent < MESSAGES; sent += batch) {
    if (batch === 1) {
      await bus.publish(messageOf(sent), options);
      continue;
    }
    const messages = Array.from({ length: batch }, (_, n) => messageOf(sent + n));
    await bus.publish(messages, options);
  }
}

async function typedRate(): Promise<number> {
  const contract = defineContract("bench", {
    summary: "Measures.",
    version: "1.0.0",
    events: { made: t.Object({ name: t.String(), count: t.Integer() }) },
  });
  const bus = openMemoryBus();
  const publisher = createPublisher(contract, bus);
  const finished = Promise.withResolvers<void>();
  let handled = 0;
  await bus.subscribe({ name: "bench.sub", topic: "bench.made", delivery: "group" }, () => {
    handled += 1;
    if (handled === MESSAGES) finished.resolve();
  });
  const startedMs = performance.now();
  for (let count = 0; count < MESSAGES; count += 1) {
    await publisher.publish("made", { name: "Ada", count });
  }
  await finished.promise;
  const seconds = (performance.now() - startedMs) / 1000;
  await bus.close();
  return MESSAGES / seconds / 1e6;
}

async function emitterRate(): Promise<number> {
  const emitter = new EventEmitter();
  let handled = 0;
  emitter.on("bench.made", () => {
    handled += 1;
  });
  const startedMs = performance.now();
  for (let sent = 0; sent < MESSAGES; sent += 1) emitter.emit("bench.made", messageOf(sent));
  await Promise.resolve();
  return handled / ((performance.now() - startedMs) / 1000) / 1e6;
}

const asynchronous = (done: () => void): DeliveryHandler => {
  return async () => {
    await Promise.resolve();
    done();
  };
};

const group = { subscribers: 1, delivery: "group" } as const;
const cases: readonly (readonly [name: string, run: () => Promise<number>])[] = [
  ["EventEmitter, 1 listener (floor)", emitterRate],
  ["1 subscriber, batches of 100", () => rateOf({ ...group, batch: BATCH })],
  ["1 subscriber, one by one", () => rateOf({ ...group, batch: 1 })],
  ["1 subscriber, async handler", () => rateOf({ ...group, batch: BATCH, handler: asynchronous })],
  ["5 broadcast", () => rateOf({ subscribers: 5, delivery: "broadcast", batch: BATCH })],
  ["group of 4", () => rateOf({ ...group, subscribers: 4, batch: BATCH })],
  ["typed publisher, one by one", typedRate],
];

for (const [name, run] of cases) {
  await run(); // warm-up
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rates.push(await run());
  rates.sort((a, b) => a - b);
  const [low, middle, high] = [0, ROUNDS >> 1, ROUNDS - 1].map((at) => rates[at] ?? 0);
  console.log(
    `${name.padEnd(34)} ${middle?.toFixed(2)} M messages/s (${low?.toFixed(2)} … ${high?.toFixed(2)})`,
  );
}
