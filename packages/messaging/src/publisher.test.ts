import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { t } from "@banyan/kernel";
import { CallContext, runInCall } from "@banyan/kernel/internal";
import type { OutgoingMessage } from "./bus.ts";
import { greeter, openWorld, scribe, watch } from "./event-world.test.ts";
import { list, lyingBus } from "./liars/lying-bus.ts";
import { openMemoryBus } from "./memory.ts";
import { createPublisher } from "./publisher.ts";

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

  test("sends the headers and the priority it is given, beside the platform's own", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen: OutgoingMessage[] = [];
    const bus = lyingBus(world.bus, { publish: async (sent) => void seen.push(...list(sent)) });
    const publisher = createPublisher(greeter, bus, { clock: world.clock });
    const headers = { "tenant-id": "7", "x.part_2": "" };
    const payload = { name: "Ada", count: 1 };
    await publisher.publish("greeted", payload, { headers, priority: 9 });
    const prepared = publisher.prepare("greeted", payload, { headers, priority: 9 });
    const expected = { source: "greeter", schemaVersion: "1", ...headers };
    for (const message of [seen[0], prepared.message]) {
      assert.deepEqual([message?.headers, message?.priority], [expected, 9]);
      assert(Object.isFrozen(message?.headers), "the bus need not copy them");
    }
    const asked = world.publisher.publish("greeted", payload, { priority: 9 });
    await assert.rejects(asked, { code: "MESSAGING_CAPABILITY_MISSING" });
    await world.bus.close();
  });

  test("refuses headers that are the platform's, or that no wire need carry", async () => {
    const world = await openWorld(scribe, { greetings: () => undefined });
    const seen = await watch(world, "greeter.greeted");
    const platform =
      "source principal traceparent tracestate schemaVersion correlationId " +
      "schemaversion Source x-banyan-due X-Banyan-due";
    const odd = ["Tenant", "tenant id", "", "-a", "ü", "__proto__", "a".repeat(129)];
    const names = [...platform.split(" "), ...odd];
    const wrong: unknown[] = [5, null, ["a"], { tenant: 7 }, { tenant: undefined }];
    wrong.push(...names.map((name) => Object.fromEntries([[name, "x"]])));
    for (const headers of wrong) {
      // Wrong on purpose: some are what the compiler would refuse.
      const options = { headers: headers as Record<string, string> };
      const payload = { name: "Ada", count: 1 };
      const publishing = world.publisher.publish("greeted", payload, options);
      await assert.rejects(publishing, { code: "EVENT_INVALID" }, JSON.stringify(headers));
    }
    const long = world.publisher.publish(
      "greeted",
      { name: "Ada", count: 1 },
      { headers: { long: "x".repeat(8192) } },
    );
    await assert.rejects(long, { code: "MESSAGING_MESSAGE_INVALID", message: /8192/ });
    await world.clock.settle();
    assert.deepEqual(seen, []);
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
