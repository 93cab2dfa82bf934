import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { currentCall, defineContract, on, t } from "@banyan/kernel";
import type { AnyContract, Call, EventDelivery, SubscribeOptions } from "@banyan/kernel";
import { CallContext, CallRuntime, runInCall } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import type { Bus, DeliveryHandler, SubscribeSpec } from "./bus.ts";
import { greeter, openWorld, scribe } from "./event-world.test.ts";
import { subscribeHandlers } from "./events.ts";
import { lyingBus } from "./liars/lying-bus.ts";
import { openMemoryBus } from "./memory.ts";
import { createPublisher } from "./publisher.ts";

const mourner = defineContract("mourner", {
  summary: "Writes partings down.",
  version: "1.0.0",
  subscriptions: { partings: on(greeter, "parted", { delivery: "broadcast" }) },
});

/** The scribe, with a subscription that differs. */
function askingFor(options: SubscribeOptions): AnyContract {
  return defineContract("scribe", {
    summary: "Writes greetings down.",
    version: "1.0.0",
    subscriptions: { greetings: on(greeter, "greeted", options) },
  });
}

/** Notes what is subscribed. */
function recording(honest: Bus, specs: SubscribeSpec[]): Bus {
  return lyingBus(honest, {
    subscribe: (spec, handler) => {
      specs.push(spec);
      return honest.subscribe(spec, handler);
    },
  });
}

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

  test("ends by the deadline of its subscription, and its lease comes after it", async () => {
    const signals: AbortSignal[] = [];
    const specs: SubscribeSpec[] = [];
    const world = await openWorld(
      askingFor({ deadlineMs: 2000, backoff: { initialMs: 0 } }),
      {
        greetings: (_event: unknown, call: Call) => {
          assert.equal(call.remainingMs(), 2000);
          signals.push(call.signal);
          return signals.length === 1 ? new Promise<void>(() => undefined) : undefined;
        },
      },
      (honest) => recording(honest, specs),
    );
    assert.equal(specs[0]?.leaseMs, 7000);
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    await world.clock.advance(1900);
    assert.deepEqual([signals.length, signals[0]?.aborted], [1, false]);
    await world.clock.advance(200);
    assert.deepEqual([signals.length, signals[0]?.aborted], [2, true]);
    await world.bus.close();
  });

  test("waits between its attempts as its subscription says", async () => {
    const attempts: (number | undefined)[] = [];
    const backoff = { initialMs: 60_000, maxMs: 100_000, factor: 3, jitter: "none" } as const;
    const world = await openWorld(askingFor({ backoff }), {
      greetings: (_event: unknown, { delivery }: Call) => {
        attempts.push(delivery?.attempt);
        throw new Error("no paper");
      },
    });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 });
    const seen: number[] = [];
    for (const ms of [59_000, 2000, 97_000, 3000]) {
      await world.clock.advance(ms);
      seen.push(attempts.length);
    }
    assert.deepEqual(seen, [1, 2, 2, 3]);
    assert.deepEqual(attempts, [1, 2, 3]);
    await world.bus.close({ drainMs: 0 });
  });

  test("leaves no more to wait than its subscription says, nor longer", async () => {
    const specs: SubscribeSpec[] = [];
    const asked = { bufferMax: 1, retentionMs: 5000 };
    const world = await openWorld(askingFor(asked), { greetings: () => undefined }, (honest) =>
      recording(honest, specs),
    );
    assert.deepEqual([specs[0]?.bufferMax, specs[0]?.retentionMs], [1, 5000]);
    await world.wired.close();
    const payload = { name: "Ada", count: 1 };
    await world.publisher.publish("greeted", payload);
    const second = world.publisher.publish("greeted", payload, { mode: "enqueue" });
    await assert.rejects(second, { code: "MESSAGING_BUFFER_FULL" });
    await world.clock.advance(120_000);
    assert.equal((await world.bus.status()).expired, 1);
    await world.bus.close();
  });

  test("sees how its event came, and the publisher's own headers only", async () => {
    const seen: (EventDelivery | undefined)[] = [];
    const world = await openWorld(scribe, {
      greetings: (_event: unknown, { delivery }: Call) => {
        seen.push(delivery);
        if (seen.length === 1) throw new Error("no paper");
      },
    });
    const headers = { "tenant-id": "7" };
    await world.publisher.publish(
      "greeted",
      { name: "Ada", count: 1 },
      { headers, correlationId: "visit 7" },
    );
    await world.clock.advance(1000);
    const expected = {
      subscription: "scribe.greetings",
      topic: "greeter.greeted",
      correlationId: "visit 7",
      headers,
      priority: 0,
    };
    assert.deepEqual(seen, [
      { attempt: 1, ...expected },
      { attempt: 2, ...expected },
    ]);
    assert(seen.every((each) => Object.isFrozen(each) && Object.isFrozen(each?.headers)));
    await world.bus.close();
  });

  test("sees its delivery as often as it looks, also in a span, and other calls none", async () => {
    const given: DeliveryHandler[] = [];
    const seen: unknown[] = [];
    const world = await openWorld(
      scribe,
      {
        greetings: (_event: unknown, call: Call) => {
          const init = { mode: "trusted", principal: call.principal } as const;
          const parent = call as CallContext;
          const inner = { ...init, parent };
          const span = { service: "scribe", name: "find", timeoutMs: 1000, kind: "span" } as const;
          const other = { service: "library", name: "library.find", timeoutMs: 1000 };
          seen.push(call.delivery, call.delivery);
          seen.push(new CallContext(span, world.runtime, inner).delivery);
          seen.push(new CallContext(other, world.runtime, inner).delivery);
        },
      },
      (honest) =>
        lyingBus(honest, {
          subscribe: (spec, handler) => {
            given.push(handler);
            return honest.subscribe(spec, handler);
          },
        }),
    );
    // As a bus with priorities would deliver it.
    await given[0]?.({
      message: {
        id: "1",
        topic: "greeter.greeted",
        timestampMs: 0,
        body: {},
        priority: 7,
        headers: { source: "greeter" },
      },
      attempt: 3,
      subscription: "scribe.greetings",
      signal: new AbortController().signal,
    });
    const [first, again, inSpan, elsewhere] = seen;
    assert.deepEqual(first, {
      subscription: "scribe.greetings",
      topic: "greeter.greeted",
      attempt: 3,
      correlationId: undefined,
      headers: {},
      priority: 7,
    });
    assert(first === again && first === inSpan);
    assert.equal(elsewhere, undefined);
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

describe("a correlation id", () => {
  const archive = defineContract("archive", {
    summary: "Keeps what was written.",
    version: "1.0.0",
    events: { kept: t.Object({ name: t.String() }) },
    subscriptions: { greetings: on(greeter, "greeted") },
  });
  const museum = defineContract("museum", {
    summary: "Shows what is kept.",
    version: "1.0.0",
    subscriptions: { kept: on(archive, "kept") },
  });

  /** What the museum is told while the archive handles a greeting by `work`. */
  async function passedOn(
    work: (keep: (correlationId?: string) => Promise<unknown>, call: CallContext) => unknown,
    correlationId?: string,
  ): Promise<unknown[]> {
    const seen: unknown[] = [];
    const world = await openWorld(archive, {
      // What handlers get is a call context.
      greetings: (_event: unknown, call: Call) => work(keep, call as CallContext) as Promise<void>,
    });
    const publisher = createPublisher(archive, world.bus, { clock: world.clock });
    const keep = (own?: string): Promise<unknown> =>
      publisher.publish("kept", { name: "Ada" }, { correlationId: own });
    const { bus, runtime } = world;
    const shown = (_event: unknown, { delivery }: Call) => void seen.push(delivery?.correlationId);
    await subscribeHandlers(museum, { kept: shown }, { bus, runtime });
    await world.publisher.publish("greeted", { name: "Ada", count: 1 }, { correlationId });
    await world.clock.settle();
    await bus.close();
    return seen;
  }

  test("goes from an event to those that are published while it is handled", async () => {
    assert.deepEqual(await passedOn((keep) => keep(), "visit 7"), ["visit 7"]);
    assert.deepEqual(await passedOn((keep) => keep()), [undefined]);
  });

  test("goes through the calls below the handler too", async () => {
    const clock = new FakeClock();
    const runtime = new CallRuntime({ clock });
    const target = { service: "archive", name: "archive.keep", timeoutMs: 1000 };
    const seen = await passedOn((keep, parent) => {
      const init = { mode: "trusted", principal: parent.principal, parent } as const;
      const inner = new CallContext(target, runtime, init);
      return runInCall(new CallContext(target, runtime, { ...init, parent: inner }), keep);
    }, "visit 7");
    assert.deepEqual(seen, ["visit 7"]);
  });

  test("is another one where the publisher says so", async () => {
    assert.deepEqual(await passedOn((keep) => keep("visit 8"), "visit 7"), ["visit 8"]);
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
