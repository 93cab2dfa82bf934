import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { currentCall, defineContract, on, t } from "@banyan/kernel";
import type { AnyContract, Call } from "@banyan/kernel";
import { CallContext, CallRuntime, runInCall } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import type { Message } from "./bus.ts";
import { subscribeHandlers } from "./events.ts";
import type { EventHandlers } from "./events.ts";
import { openMemoryBus } from "./memory.ts";
import { createPublisher } from "./publisher.ts";

const greeter = defineContract("greeter", {
  summary: "Greets.",
  version: "1.0.0",
  events: {
    greeted: t.Object({ name: t.String({ minLength: 1 }), count: t.Integer() }),
    parted: {
      payload: t.Object({ who: t.String(), mood: t.String() }),
      version: 3,
      upgrade: {
        1: (old: unknown) => ({ who: nameOf(old) }),
        2: (old: unknown) => Object.assign(Object(old), { mood: "calm" }),
      },
    },
    lined: { payload: t.Object({ lane: t.String() }), orderedBy: "/lane" },
  },
});

function nameOf(old: unknown): unknown {
  return typeof old === "object" && old !== null && "name" in old ? old.name : undefined;
}

const scribe = defineContract("scribe", {
  summary: "Writes greetings down.",
  version: "1.0.0",
  subscriptions: { greetings: on(greeter, "greeted", { retriesMax: 2, concurrency: 3 }) },
});

const mourner = defineContract("mourner", {
  summary: "Writes partings down.",
  version: "1.0.0",
  subscriptions: { partings: on(greeter, "parted", { delivery: "broadcast" }) },
});

/** A bus on a fake clock with one service's handlers on it. */
async function openWorld(contract: AnyContract, handlers: EventHandlers) {
  const clock = new FakeClock();
  const bus = openMemoryBus({ clock });
  const runtime = new CallRuntime({ clock });
  const wired = await subscribeHandlers(contract, handlers, { bus, runtime });
  const publisher = createPublisher(greeter, bus, { clock });
  return { clock, bus, runtime, wired, publisher };
}

/** What a raw subscriber of the topic sees. */
async function watch(world: { bus: ReturnType<typeof openMemoryBus> }, topic: string) {
  const seen: Message[] = [];
  await world.bus.subscribe({ name: "test.watch", topic, delivery: "broadcast" }, (delivery) => {
    seen.push(delivery.message);
  });
  return seen;
}

describe("a publisher", () => {
  test("puts eventId and timestamp beside the payload's fields and repeats them", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.greeted");
    const { eventId } = await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    await world.clock.settle();
    assert.deepEqual(seen, [
      {
        id: eventId,
        topic: "greeter.greeted",
        timestampMs: Date.UTC(2025, 0, 1),
        body: { name: "Ada", count: 1, eventId, timestamp: "2025-01-01T00:00:00.000Z" },
        headers: { source: "greeter", schemaVersion: "1" },
        orderingKey: undefined,
      },
    ]);
    assert.match(eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    await world.bus.close();
  });

  test("refuses what its contract does not declare, naming the place", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.greeted");
    const wrong: unknown[] = [{ name: "", count: 1 }, { name: "Ada" }, { name: 7, count: 1 }, 5];
    for (const payload of wrong) {
      // Wrong on purpose: what the compiler would refuse.
      const publishing = world.publisher.publish("greeted", payload as never);
      await assert.rejects(publishing, { code: "EVENT_INVALID" });
    }
    await assert.rejects(world.publisher.publish("greetd" as never, {} as never), {
      code: "EVENT_INVALID",
      message: /did you mean "greeted"/,
    });
    await world.clock.settle();
    assert.deepEqual(seen, []);
    await world.bus.close();
  });

  test("publishes under the id it is given, if that is a UUID", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const eventId = "0197A0B0-0000-7000-8000-000000000001";
    const payload = { name: "Ada", count: 1 };
    const published = await world.publisher.publish("greeted", payload, { eventId });
    assert.equal(published.eventId, eventId.toLowerCase());
    assert.equal(published.timestamp, "2025-01-01T00:00:00.000Z", "the one its receivers see");
    await assert.rejects(world.publisher.publish("greeted", payload, { eventId: "x" }), {
      code: "EVENT_INVALID",
    });
    await world.bus.close();
  });

  test("passes on what is asked of the bus, and the correlation id as a header", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.greeted");
    const payload = { name: "Ada", count: 1 };
    const { publisher, bus } = world;
    await publisher.publish("greeted", payload, {
      correlationId: "visit 7",
      mandatory: true,
      mode: "enqueue",
      expiresAtMs: world.clock.nowMs() + 1000,
    });
    await publisher.publish("greeted", payload, { expiresAtMs: world.clock.nowMs() });
    await world.clock.settle();
    assert.deepEqual(
      seen.map(({ headers }) => headers),
      [{ source: "greeter", schemaVersion: "1", correlationId: "visit 7" }],
    );
    assert.equal((await bus.status()).expired, 1);
    const wrong = publisher.publish("greeted", payload, { expiresAtMs: Number.NaN });
    await assert.rejects(wrong, { code: "MESSAGING_MESSAGE_INVALID" });
    const alone = openMemoryBus();
    const unheard = createPublisher(greeter, alone).publish("greeted", payload, {
      mandatory: true,
    });
    await assert.rejects(unheard, { code: "MESSAGING_UNROUTED" });
    await Promise.all([bus.close(), alone.close()]);
  });

  test("carries the trace and the principal of the call it is used in", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.greeted");
    const target = { service: "greeter", name: "greeter.greet", timeoutMs: 1000 };
    const call = new CallContext(target, world.runtime, {
      mode: "trusted",
      principal: { kind: "account", id: "42" },
    });
    await runInCall(call, () => world.publisher.publish("greeted", { name: "Ada", count: 1 }));
    await world.clock.settle();
    const { traceId, spanId } = call.trace;
    assert.deepEqual(seen[0]?.headers, {
      source: "greeter",
      schemaVersion: "1",
      principal: "account:42",
      traceparent: `00-${traceId}-${spanId}-02`,
    });
    await world.bus.close();
  });

  test("names the ordering key of an ordered event", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.lined");
    await world.publisher.publish("lined", { lane: "left" });
    await world.clock.settle();
    assert.equal(seen[0]?.orderingKey, "left");
    await world.bus.close();
  });

  test("refuses a contract whose payload has a field of ours", () => {
    const clashing = {
      name: "clash",
      layer: "L4",
      spec: {
        summary: "Clashes.",
        version: "1.0.0",
        events: { made: t.Object({ eventId: t.String() }) },
      },
    } as const;
    assert.throws(() => createPublisher(clashing, openMemoryBus()), {
      code: "CONTRACT_INVALID",
      message: /eventId/,
    });
  });
});

describe("a subscribed handler", () => {
  test("gets the event in a call of its own that goes on with the publisher's trace", async () => {
    const events: unknown[] = [];
    const calls: Call[] = [];
    const world = await openWorld(scribe, {
      greetings: async (event: unknown, call: Call) => {
        assert.equal(currentCall(), call);
        events.push(event);
        calls.push(call);
      },
    });
    const target = { service: "greeter", name: "greeter.greet", timeoutMs: 1000 };
    const outer = new CallContext(target, world.runtime, {
      mode: "trusted",
      principal: { kind: "operator" },
    });
    const { eventId } = await runInCall(outer, () =>
      world.publisher.publish("greeted", { name: "Ada", count: 1 }),
    );
    await world.clock.settle();
    const timestamp = "2025-01-01T00:00:00.000Z";
    assert.deepEqual(events, [{ name: "Ada", count: 1, eventId, timestamp }]);
    const [call] = calls;
    assert.equal(call?.operation, "scribe.greetings");
    assert.deepEqual(call.principal, { kind: "service", id: "scribe" });
    assert.equal(call.caller, "greeter");
    assert.equal(call.trace.traceId, outer.trace.traceId);
    assert.equal(call.trace.parentSpanId, outer.trace.spanId);
    assert.equal(call.remainingMs(), 30_000);
    assert.equal(world.runtime.inFlight, 0);
    await world.bus.close();
  });

  test("is tried again as the subscription says, then the event is a dead letter", async () => {
    let attempts = 0;
    const world = await openWorld(scribe, {
      greetings: () => {
        attempts += 1;
        throw new Error("no paper");
      },
    });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    await world.clock.advance(5000);
    assert.equal(attempts, 3);
    const { letters } = await world.bus.deadLetters.list({ subscription: "scribe.greetings" });
    assert.equal(letters[0]?.attempts, 3);
    assert.match(letters[0].error.message, /no paper/);
    assert.equal(world.runtime.inFlight, 0);
    await world.bus.close();
  });

  test("ends by its deadline, and stays counted until it really settles", async () => {
    const gate = Promise.withResolvers<void>();
    const signals: AbortSignal[] = [];
    const world = await openWorld(scribe, {
      greetings: (_event: unknown, call: Call) => {
        signals.push(call.signal);
        return signals.length === 1 ? gate.promise : undefined;
      },
    });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    await world.clock.advance(29_000);
    assert.equal(signals.length, 1);
    await world.clock.advance(2_000);
    assert.equal(signals[0]?.aborted, true);
    assert.equal(signals.length, 2, "it was delivered again");
    assert.equal(world.runtime.inFlight, 1, "the first still runs");
    gate.resolve();
    await world.clock.settle();
    assert.equal(world.runtime.inFlight, 0);
    await world.bus.close();
  });

  test("is told when its subscription is closed before it is done", async () => {
    const signals: AbortSignal[] = [];
    const world = await openWorld(scribe, {
      greetings: (_event: unknown, call: Call) => {
        signals.push(call.signal);
        return new Promise<void>(() => undefined);
      },
    });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    await world.clock.settle();
    await world.wired.close({ drainMs: 0 });
    assert.equal(signals[0]?.aborted, true);
    const { subscriptions } = await world.bus.status();
    assert.equal(subscriptions[0]?.buffered, 1, "the group keeps the event");
    await world.bus.close({ drainMs: 0 });
  });

  test("still runs while the node drains: its event was accepted before", async () => {
    let isHandled = false;
    const world = await openWorld(scribe, {
      greetings: () => {
        isHandled = true;
      },
    });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    world.runtime.startDraining();
    await world.clock.settle();
    assert.equal(isHandled, true);
    await world.bus.close();
  });
});

describe("a received event", () => {
  const base = { id: "0197a0b0-0000-7000-8000-000000000001", timestampMs: 0 };

  test("loses the fields its reader does not know, and is no dead letter for them", async () => {
    const events: unknown[] = [];
    const world = await openWorld(scribe, {
      greetings: (event: unknown) => void events.push(event),
    });
    await world.bus.publish({
      ...base,
      topic: "greeter.greeted",
      body: { name: "Ada", count: 1, language: "en", eventId: base.id, timestamp: "then" },
      headers: { source: "greeter" },
    });
    await world.clock.settle();
    assert.deepEqual(events, [{ name: "Ada", count: 1, eventId: base.id, timestamp: "then" }]);
    await world.bus.close();
  });

  test("of an older version is lifted step by step; a newer one is read as it is", async () => {
    const events: unknown[] = [];
    const world = await openWorld(mourner, {
      partings: (event: unknown) => void events.push(event),
    });
    const written: readonly (readonly [version: string | undefined, body: object])[] = [
      [undefined, { name: "Ada" }],
      ["2", { who: "Bo" }],
      ["3", { who: "Cy", mood: "sad" }],
      ["4", { who: "Di", mood: "sad", weather: "rain" }],
    ];
    for (const [schemaVersion, body] of written) {
      const headers = { source: "greeter", schemaVersion };
      await world.bus.publish({ ...base, topic: "greeter.parted", body, headers });
    }
    await world.clock.settle();
    const timestamp = "1970-01-01T00:00:00.000Z";
    assert.deepEqual(
      events,
      [
        { who: "Ada", mood: "calm" },
        { who: "Bo", mood: "calm" },
        { who: "Cy", mood: "sad" },
        { who: "Di", mood: "sad" },
      ].map((fields) => ({ ...fields, eventId: base.id, timestamp })),
    );
    await world.bus.close();
  });

  test("that cannot be read is a dead letter at once, with where it is wrong", async () => {
    let attempts = 0;
    const count = (): void => {
      attempts += 1;
    };
    const world = await openWorld(mourner, { partings: count });
    const bodies: readonly (readonly [version: string, body: unknown])[] = [
      ["3", { who: 5, mood: "sad" }],
      ["3", "text"],
      ["x", { who: "Ada", mood: "sad" }],
      ["2", null],
    ];
    for (const [schemaVersion, body] of bodies) {
      const headers = { source: "greeter", schemaVersion };
      await world.bus.publish({ ...base, topic: "greeter.parted", body, headers });
    }
    await world.clock.settle();
    assert.equal(attempts, 0);
    const { letters } = await world.bus.deadLetters.list();
    assert.deepEqual(
      letters.map(({ reason, attempts: tried, error }) => [reason, tried, error.code]),
      bodies.map(() => ["unreadable", 1, "MESSAGING_EVENT_UNREADABLE"]),
    );
    assert.match(JSON.stringify(letters[0]?.error.details), /"\/who"/);
    await world.bus.close();
  });
});

describe("subscribing a service", () => {
  test("refuses a missing handler and one that nobody declared", async () => {
    const code = "MESSAGING_SUBSCRIPTION_INVALID";
    await assert.rejects(openWorld(scribe, {}), { code, message: /no handler/ });
    const handlers = { greetings: () => undefined, greeting: () => undefined };
    await assert.rejects(openWorld(scribe, handlers), { code, message: /did you mean/ });
  });

  test("refuses an event that the other contract does not declare", async () => {
    const spec = { contract: greeter, event: "greetd", delivery: "group" } as const;
    const wrong: AnyContract = {
      name: "wrong",
      layer: "L4",
      spec: {
        summary: "Wrong.",
        version: "1.0.0",
        subscriptions: { x: { ...spec, concurrency: 1, retriesMax: 1 } },
      },
    };
    await assert.rejects(openWorld(wrong, { x: () => undefined }), {
      code: "MESSAGING_SUBSCRIPTION_INVALID",
      message: /no event "greetd"; did you mean "greeted"/,
    });
  });

  test("closes what it opened when a later subscription fails", async () => {
    const bus = openMemoryBus();
    const runtime = new CallRuntime();
    const both = defineContract("both", {
      summary: "Has a second subscription that the group's old topic is in the way of.",
      version: "1.0.0",
      subscriptions: { first: on(greeter, "greeted"), second: on(greeter, "lined") },
    });
    const spec = { name: "both.second", topic: "elsewhere", delivery: "group" } as const;
    await (await bus.subscribe(spec, () => undefined)).close();
    const handlers = { first: () => undefined, second: () => undefined };
    await assert.rejects(subscribeHandlers(both, handlers, { bus, runtime }), {
      code: "MESSAGING_SUBSCRIPTION_CONFLICT",
    });
    const { subscriptions } = await bus.status();
    assert.deepEqual(
      subscriptions.map(({ name, members }) => [name, members]),
      [
        ["both.second", 0],
        ["both.first", 0],
      ],
    );
    await bus.close();
  });
});
