/** The operator's look at the events, through the node's own service. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import type { Call, Client, EventOf, ServiceTools } from "@banyan/kernel";
import { createRecordingLog, withTimeout } from "@banyan/testbed";
import { nodeContract } from "../node-contract.ts";
import { openNode } from "../node.ts";
import type { Node } from "../node.ts";
import { eventually, flagsOf } from "../sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const mill = defineContract("mill", {
  ...head,
  events: {
    ground: { payload: t.Object({ sack: t.Integer() }), summary: "Done.", orderedBy: "/sack" },
    turned: { payload: t.Object({ degrees: t.Number() }), durability: "ephemeral" },
  },
});
const baker = defineContract("baker", {
  ...head,
  subscriptions: {
    flour: on(mill, "ground", { retriesMax: 0 }),
    wind: on(mill, "turned", { delivery: "broadcast" }),
  },
});

type Events = Client<typeof nodeContract>["events"];
type Frame = Events["tail"] extends (...args: never[]) => AsyncIterable<infer F> ? F : never;

interface World extends AsyncDisposable {
  readonly node: Node;
  readonly events: Events;
  readonly mill: ServiceTools<typeof mill>;
  readonly handled: number[];
  readonly log: ReturnType<typeof createRecordingLog>;
  /** Whether the baker fails. */
  isIll: boolean;
}

async function openMill(): Promise<World> {
  const log = createRecordingLog();
  let tools: ServiceTools<typeof mill> | undefined;
  const world = { isIll: false, handled: [] as number[] };
  const node = await openNode({
    services: [
      defineService(mill, (given) => {
        tools = given;
        return {};
      }),
      defineService(baker, () => ({
        subscriptions: {
          flour({ sack }: EventOf<{ sack: number }>, call: Call) {
            if (world.isIll) throw new Error(`no oven in ${call.service}`);
            world.handled.push(sack);
          },
          wind: () => undefined,
        },
      })),
    ],
    inMemory: true,
    config: { flags: flagsOf({ "/http/enabled": false }) },
    log,
  });
  assert(tools !== undefined);
  return Object.assign(world, {
    node,
    events: node.client(nodeContract).events,
    mill: tools,
    log,
    [Symbol.asyncDispose]: () => node.close(),
  });
}

describe("The operator's topics", () => {
  test("are the events that services declare, with who listens and how far they are", async () => {
    await using world = await openMill();
    const { topics, groups } = await world.events.topics({});
    assert.deepEqual(
      topics.map(({ topic, durability, bus, orderedBy, subscribers }) => [
        topic,
        durability,
        bus,
        orderedBy,
        subscribers.map(({ name, delivery }) => `${name} ${delivery}`),
      ]),
      [
        ["mill.ground", "durable", "memory", "/sack", ["baker.flour group"]],
        ["mill.turned", "ephemeral", "memory", undefined, ["baker.wind broadcast"]],
        ["node.storeFailed", "ephemeral", "memory", undefined, []],
        ["node.callFailed", "ephemeral", "memory", undefined, []],
        ["node.messageBuried", "ephemeral", "memory", undefined, []],
        ["node.entriesChanged", "ephemeral", "memory", undefined, []],
        ["node.endpointJoined", "ephemeral", "memory", undefined, []],
        ["node.endpointLeft", "ephemeral", "memory", undefined, []],
        ["node.endpointDegraded", "ephemeral", "memory", undefined, []],
        ["node.endpointRecovered", "ephemeral", "memory", undefined, []],
      ],
    );
    assert.deepEqual(
      groups.map(({ name, members, buffered }) => [name, members, buffered]),
      [
        ["baker.flour", 1, 0],
        ["baker.wind", 1, 0],
      ],
    );
  });

  test("have counters", async () => {
    await using world = await openMill();
    await world.mill.publish("ground", { sack: 1 });
    await eventually(() => world.handled.length === 1);
    const { buses, deadLetters } = await world.events.status({});
    assert.equal(deadLetters, 0);
    const [bus, ...others] = buses;
    assert.deepEqual(others, []);
    assert.deepEqual(bus?.carries, ["durable", "ephemeral"]);
    assert.deepEqual([bus.published, bus.handled], [1, 1]);
  });
});

describe("The operator's publish", () => {
  test("goes out as the service that declares the event", async () => {
    await using world = await openMill();
    const { events, handled } = world;
    const tail = events.tail({ topic: "mill.*" })[Symbol.asyncIterator]();
    assert.equal((await tail.next()).value.kind, "live");
    const { eventId } = await events.publish({ topic: "mill.ground", payload: { sack: 7 } });
    const frame = (await tail.next()).value as Frame;
    assert(frame.kind === "message");
    assert.equal(frame.eventId, eventId);
    assert.equal(frame.headers["source"], "mill");
    assert.equal(frame.headers["principal"], "service:program");
    assert.deepEqual((frame.body as { sack: number }).sack, 7);
    await eventually(() => handled.length === 1);
    await tail.return?.(undefined);
  });

  test("is checked by the event's schema, and its topic by those there are", async () => {
    await using world = await openMill();
    const { events } = world;
    await assert.rejects(events.publish({ topic: "mill.ground", payload: { sack: "x" } }), {
      code: "EVENT_INVALID",
    });
    await assert.rejects(events.publish({ topic: "mill.grund", payload: {} }), {
      code: "NODE_TOPIC_UNKNOWN",
      message: /did you mean "mill\.ground"/,
    });
    const eventId = "01999999-0000-7000-8000-000000000009";
    const published = await events.publish({
      topic: "mill.ground",
      payload: { sack: 1 },
      eventId,
      delayMs: 1,
    });
    assert.equal(published.eventId, eventId);
    await eventually(() => world.handled.length === 1);
  });
});

describe("The operator's tail", () => {
  test("shows what is published from now on, by pattern", async () => {
    await using world = await openMill();
    await world.mill.publish("ground", { sack: 1 });
    const all = world.events.tail({})[Symbol.asyncIterator]();
    const some = world.events.tail({ topic: "mill.turned" })[Symbol.asyncIterator]();
    assert.deepEqual((await all.next()).value, { kind: "live", pattern: "#" });
    await some.next();
    await world.mill.publish("ground", { sack: 2 });
    await world.mill.publish("turned", { degrees: 3 });
    const topics = [(await all.next()).value, (await all.next()).value, (await some.next()).value];
    assert.deepEqual(
      topics.map((frame) => frame.kind === "message" && frame.topic),
      ["mill.ground", "mill.turned", "mill.turned"],
    );
    await Promise.all([all.return?.(undefined), some.return?.(undefined)]);
    const { groups } = await world.events.topics({});
    assert.deepEqual(
      groups.map(({ name }) => name),
      ["baker.flour", "baker.wind"],
    );
  });

  test("refuses what is no topic", async () => {
    await using world = await openMill();
    for (const topic of ["no topic", "mill..ground", "mill.g*"]) {
      const tail = world.events.tail({ topic })[Symbol.asyncIterator]();
      await assert.rejects(tail.next(), {
        code: "REQUEST_INVALID",
        message: /is no pattern of topics.*"greeter\.\*"/,
      });
    }
  });

  test("ends with the node and does not hold it up", async () => {
    await using world = await openMill();
    const tail = world.events.tail({})[Symbol.asyncIterator]();
    await tail.next();
    const waiting = tail.next();
    const closing = world.node.close();
    assert.equal((await waiting).done, true);
    await withTimeout(closing, { what: "The stop", timeoutMs: 3000 });
  });
});

describe("The operator's dead letters", () => {
  const openIll = async (count: number): Promise<World> => {
    const world = await openMill();
    world.isIll = true;
    for (let sack = 0; sack < count; sack += 1) await world.mill.publish("ground", { sack });
    await eventually(() => world.log.lines.length > 0);
    for (;;) {
      const { letters } = await world.events.deadLetters.list({ limit: 1000 });
      if (letters.length === count) return world;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  test("are listed in pages and shown whole", async () => {
    await using world = await openIll(5);
    const { deadLetters } = world.events;
    const first = await deadLetters.list({ limit: 3 });
    const second = await deadLetters.list({ limit: 3, after: first.next ?? "" });
    assert.deepEqual([first.letters.length, second.letters.length, second.next], [3, 2, undefined]);
    const [letter] = first.letters;
    assert.ok(letter !== undefined);
    assert.deepEqual(
      [letter.subscription, letter.topic, letter.attempts, letter.reason],
      ["baker.flour", "mill.ground", 1, "retries-exhausted"],
    );
    const whole = await deadLetters.get({ id: letter.id });
    assert.deepEqual(whole.letter, letter);
    assert.equal(whole.headers["source"], "mill");
    assert.deepEqual((whole.body as { eventId: string }).eventId, letter.eventId);
    await assert.rejects(deadLetters.get({ id: "x" }), { code: "NODE_DEAD_LETTER_UNKNOWN" });
    assert.equal((await world.events.status({})).deadLetters, 5);
  });

  test("are redriven by id, and by subscription, with a line in the log", async () => {
    await using world = await openIll(5);
    const { deadLetters } = world.events;
    world.isIll = false;
    const { letters } = await deadLetters.list({ limit: 2 });
    const ids = letters.map(({ id }) => id);
    const some = await deadLetters.redrive({ ids: [...ids, "unknown", ...ids] });
    assert.deepEqual(some, { redriven: 2, left: 1, more: false });
    await eventually(() => world.handled.length === 2);
    const part = await deadLetters.redrive({ subscription: "baker.flour", all: true, limit: 1 });
    assert.deepEqual(part, { redriven: 1, left: 0, more: true });
    const rest = await deadLetters.redrive({ subscription: "baker.flour", all: true });
    assert.deepEqual(rest, { redriven: 2, left: 0, more: false });
    await eventually(() => world.handled.length === 5);
    const lines = world.log.lines.filter(
      ({ message }) => message === "dead letters redriven by an operator",
    );
    assert.deepEqual(
      lines.map(({ fields }) => [fields["by"], fields["count"]]),
      [
        ["service:program", 2],
        ["service:program", 1],
        ["service:program", 2],
      ],
    );
  });

  test("that die again are not redriven for ever", async () => {
    await using world = await openIll(3);
    const { redriven } = await world.events.deadLetters.redrive({
      subscription: "baker.flour",
      all: true,
    });
    assert.equal(redriven, 3);
  });

  test("are discarded", async () => {
    await using world = await openIll(2);
    const { deadLetters } = world.events;
    const answer = await deadLetters.discard({ subscription: "baker.flour", all: true });
    assert.deepEqual(answer, { discarded: 2, left: 0, more: false });
    assert.deepEqual((await deadLetters.list({})).letters, []);
  });

  test("must be chosen clearly", async () => {
    await using world = await openMill();
    const { deadLetters } = world.events;
    for (const request of [
      {},
      { all: true },
      { subscription: "baker.flour" },
      { ids: ["a"], all: true },
    ]) {
      await assert.rejects(deadLetters.discard(request), {
        code: "REQUEST_INVALID",
        message: /either ids, or a subscription/,
      });
    }
    await assert.rejects(deadLetters.redrive({ subscription: "baker.flor", all: true }), {
      code: "NODE_SUBSCRIPTION_UNKNOWN",
      message: /did you mean "baker\.flour"/,
    });
    await assert.rejects(deadLetters.list({ subscription: "baker.flor" }), {
      code: "NODE_SUBSCRIPTION_UNKNOWN",
      message: /did you mean "baker\.flour"/,
    });
    assert.deepEqual((await deadLetters.list({ subscription: "baker.flour" })).letters, []);
    for (const one of [deadLetters.discard, deadLetters.redrive]) {
      await assert.rejects(one({ ids: ["x"] }), { code: "NODE_DEAD_LETTER_UNKNOWN" });
    }
  });
});
