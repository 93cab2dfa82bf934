import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, on, t } from "@banyan/kernel";
import { CallRuntime } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { subscribeHandlers } from "./events.ts";
import { openMemoryBus } from "./memory.ts";
import { createPublisher } from "./publisher.ts";

const payload = t.Object({ n: t.Integer() });

const meter = defineContract("meter", {
  summary: "Measures.",
  version: "1.0.0",
  events: { billed: payload, ticked: { payload, durability: "ephemeral" } },
});

const reader = defineContract("reader", {
  summary: "Reads what was measured.",
  version: "1.0.0",
  subscriptions: { bills: on(meter, "billed"), ticks: on(meter, "ticked") },
});

async function openWorld() {
  const clock = new FakeClock();
  const runtime = new CallRuntime({ clock, defaultTimeoutMs: 2000 });
  const buses = { durable: openMemoryBus({ clock }), ephemeral: openMemoryBus({ clock }) };
  const seen: string[] = [];
  const handlers = {
    bills: (event: { n: number }) => void seen.push(`bill ${event.n}`),
    ticks: (event: { n: number }) => void seen.push(`tick ${event.n}`),
  };
  await subscribeHandlers(reader, handlers, { bus: buses, runtime });
  return { clock, runtime, buses, seen, publisher: createPublisher(meter, buses, { clock }) };
}

describe("two buses", () => {
  test("carry each event by its durability, both ways", async () => {
    const { clock, buses, seen, publisher } = await openWorld();
    await publisher.publish("billed", { n: 1 });
    await publisher.publish("ticked", { n: 2 });
    await clock.settle();
    assert.deepEqual(seen.toSorted(), ["bill 1", "tick 2"]);
    assert.deepEqual(
      await Promise.all([buses.durable.status(), buses.ephemeral.status()]).then((all) =>
        all.map(({ handled, subscriptions }) => [handled, subscriptions[0]?.name]),
      ),
      [
        [1, "reader.bills"],
        [1, "reader.ticks"],
      ],
    );
  });
});

describe("a delayed event", () => {
  test("is delivered after its delay, with the time of its publication", async () => {
    const { clock, seen, publisher } = await openWorld();
    const { timestamp } = await publisher.publish("billed", { n: 1 }, { delayMs: 5000 });
    assert.equal(timestamp, new Date(clock.nowMs()).toISOString());
    await clock.advance(4900);
    assert.deepEqual(seen, []);
    await clock.advance(200);
    assert.deepEqual(seen, ["bill 1"]);
  });

  test("of a delay that is none is refused, naming the place", async () => {
    const { publisher } = await openWorld();
    for (const delayMs of [-1, Number.NaN, Infinity, 400_000_000_000]) {
      await assert.rejects(publisher.publish("billed", { n: 1 }, { delayMs }), {
        code: "EVENT_INVALID",
        message: /delayMs.*meter\.billed/,
      });
    }
    await publisher.publish("billed", { n: 1 }, { delayMs: 0 });
  });
});

describe("a prepared event", () => {
  test("is published by whoever commits it, under the id it was answered with", async () => {
    const { clock, buses, seen, publisher } = await openWorld();
    const { message, published } = publisher.prepare("billed", { n: 7 }, { delayMs: 1000 });
    assert.equal(message.id, published.eventId);
    assert.equal(message.deliverAtMs, clock.nowMs() + 1000);
    assert.throws(() => publisher.prepare("billed", { n: 0.5 }), { code: "EVENT_INVALID" });
    const rider = buses.durable.stage?.([message]);
    await clock.advance(2000);
    assert.deepEqual(seen, []);
    rider?.committed();
    await clock.advance(100);
    assert.deepEqual(seen, ["bill 7"]);
  });
});

describe("a handler's lease", () => {
  test("ends after its call's deadline, which is what it is told", async () => {
    const clock = new FakeClock();
    const bus = openMemoryBus({ clock });
    const runtime = new CallRuntime({ clock, defaultTimeoutMs: 2000 });
    const never = (): Promise<void> => new Promise(() => undefined);
    await subscribeHandlers(reader, { bills: never, ticks: never }, { bus, runtime });
    await createPublisher(meter, bus, { clock }).publish("billed", { n: 1 });
    await clock.advance(600_000);
    const [letter] = (await bus.deadLetters.list()).letters;
    assert.equal(letter?.error.code, "CALL_DEADLINE_EXCEEDED");
  });
});
