/** Subject: events that need not survive the process, from a publisher to one subscriber. */

import { defineContract, on, systemIds, t } from "@banyan/kernel";
import { CallRuntime } from "@banyan/kernel/internal";
import { createPublisher, openMemoryBus, subscribeHandlers } from "@banyan/messaging";
import { numberOf, rateBatch, rateOf } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import type { Measure } from "../subject.ts";
import { HandledCounter } from "./handled.ts";

const events = defineContract("bench", {
  summary: "Measures.",
  version: "1.0.0",
  events: { made: { durability: "ephemeral", payload: t.Object({ count: t.Integer() }) } },
});
const listener = defineContract("listener", {
  summary: "Counts.",
  version: "1.0.0",
  subscriptions: { made: on(events, "made", { concurrency: 64 }) },
});
const handled = new HandledCounter();

const bus = openMemoryBus();
await bus.subscribe({ name: "bench.raw", topic: "bench.raw", delivery: "group" }, () => {
  handled.add();
});
await subscribeHandlers(
  listener,
  { made: () => handled.add() },
  { bus, runtime: new CallRuntime() },
);
const publisher = createPublisher(events, bus);

const ids = Array.from({ length: 1024 }, () => systemIds.uuid());
const headers = Object.freeze({ source: "bench", schemaVersion: "1" });
let turn = 0;

function publishRaw(): Promise<void> {
  turn += 1;
  const message = {
    id: ids[turn & 1023] ?? "",
    topic: "bench.raw",
    timestampMs: 1_700_000_000_000,
    body: { count: turn },
    headers,
  };
  return bus.publish(message, { owned: true });
}

function publishTyped(): Promise<unknown> {
  turn += 1;
  return publisher.publish("made", { count: turn });
}

/** `inFlight` publishes at once; a batch is over when the last of it was handled. */
function publishRate(publish: () => Promise<unknown>): Measure {
  return (question) => {
    const inFlight = numberOf(question, "inFlight");
    const several = async (): Promise<void> => {
      for (let done = 0; done < rateBatch / inFlight; done += 1) await publish();
    };
    return rateOf(numberOf(question, "durationMs"), async () => {
      if (inFlight === 1) await several();
      else await Promise.all(Array.from({ length: inFlight }, several));
      await handled.take(rateBatch);
    });
  };
}

serveMeasures({ raw: publishRate(publishRaw), typed: publishRate(publishTyped) });
