/** `once` of a service's tools: an event is handled exactly once, however often it comes. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import type { EventOf, OnceOutcome, ServiceTools } from "@banyan/kernel";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import { eventually, flagsOf } from "./sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const noHttp = { flags: flagsOf({ "/http/enabled": false }) };
const total = t.Object({ total: t.Integer() });

const till = defineContract("till", {
  ...head,
  events: { paid: t.Object({ cents: t.Integer() }) },
});
const book = defineContract("book", {
  ...head,
  stores: {
    totals: { durability: "durable", value: total, capabilities: ["transaction", "outbox"] },
  },
  events: { booked: t.Object({ cents: t.Integer() }) },
  subscriptions: { payments: on(till, "paid") },
  operations: {
    byHand: {
      summary: "Book by hand.",
      request: t.Object({ eventId: t.String() }),
      response: t.Object({ outcome: t.String() }),
    },
  },
});
type Paid = EventOf<{ readonly cents: number }>;

interface World extends AsyncDisposable {
  readonly node: Node;
  readonly till: ServiceTools<typeof till>;
  readonly book: ServiceTools<typeof book>;
  readonly outcomes: OnceOutcome[];
  readonly total: () => Promise<number>;
}

type Handle = (event: Paid, tools: ServiceTools<typeof book>) => Promise<OnceOutcome>;

const bookIt: Handle = (event, { once }) =>
  once(event, async (tx) => {
    await tx.stores.totals.update("all", (old) => ({ total: (old?.total ?? 0) + event.cents }));
    tx.publish("booked", { cents: event.cents });
  });

async function openBook(handle: Handle = bookIt, clock?: FakeClock): Promise<World> {
  const outcomes: OnceOutcome[] = [];
  let tillTools: ServiceTools<typeof till> | undefined;
  let bookTools: ServiceTools<typeof book> | undefined;
  const node = await openNode({
    services: [
      defineService(till, (tools) => {
        tillTools = tools;
        return {};
      }),
      defineService(book, (tools) => {
        bookTools = tools;
        return {
          operations: {
            byHand: async ({ eventId }) => ({
              outcome: await tools.once({ eventId }, (tx) => tx.stores.totals.get("all")),
            }),
          },
          subscriptions: {
            payments: async (event) => void outcomes.push(await handle(event, tools)),
          },
        };
      }),
    ],
    inMemory: true,
    config: noHttp,
    log: createRecordingLog(),
    ...(clock === undefined ? {} : { clock }),
  });
  assert(tillTools !== undefined && bookTools !== undefined);
  const { totals } = bookTools.stores;
  return {
    node,
    till: tillTools,
    book: bookTools,
    outcomes,
    total: async () => (await totals.get("all"))?.total ?? 0,
    [Symbol.asyncDispose]: () => node.close(),
  };
}

describe("An event that is handled once", () => {
  test("takes effect once however often it is delivered", async () => {
    await using world = await openBook();
    const eventId = "01999999-0000-7000-8000-000000000001";
    for (let time = 0; time < 3; time += 1)
      await world.till.publish("paid", { cents: 5 }, { eventId });
    await eventually(() => world.outcomes.length === 3);
    assert.deepEqual(world.outcomes.toSorted(), ["done", "duplicate", "duplicate"]);
    assert.equal(await world.total(), 5);
    await world.till.publish("paid", { cents: 5 });
    await eventually(() => world.outcomes.length === 4);
    assert.equal(await world.total(), 10);
  });

  test("is handled again after a failure, which recorded nothing", async () => {
    let failures = 0;
    await using world = await openBook((event, { once }) =>
      once(event, async (tx) => {
        await tx.stores.totals.update("all", (old) => ({ total: (old?.total ?? 0) + 1 }));
        if ((failures += 1) <= 2) throw new Error("not yet");
      }),
    );
    await world.till.publish("paid", { cents: 5 });
    await eventually(() => world.outcomes.length === 1);
    assert.deepEqual(world.outcomes, ["done"]);
    assert.equal(failures, 3);
    assert.equal(await world.total(), 1);
  });

  test("runs for one of those that come at the same time", async () => {
    await using world = await openBook();
    const event = { eventId: "e-1" };
    let runs = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        world.book.once(
          event,
          async (tx) => {
            runs += 1;
            await tx.stores.totals.update("all", (old) => ({ total: (old?.total ?? 0) + 1 }));
          },
          { as: "parallel" },
        ),
      ),
    );
    assert.equal(runs, 1);
    assert.equal(outcomes.filter((outcome) => outcome === "done").length, 1);
    assert.equal(await world.total(), 1);
  });

  test("goes by the name of its subscription, of its operation, or the one given", async () => {
    await using world = await openBook();
    await world.till.publish("paid", { cents: 5 });
    await eventually(() => world.outcomes.length === 1);
    await world.node.client(book).byHand({ eventId: "e-2" });
    await world.book.once({ eventId: "e-2" }, () => undefined, { as: "third" });
    const { entries } = await world.node.client(nodeContract).state.list({ store: "node.inbox" });
    assert.deepEqual(
      entries.map(({ key }) => key.split(":")[0]),
      ["book.byHand", "book.payments", "book.third"],
    );
    const again = await world.node.client(book).byHand({ eventId: "e-2" });
    assert.equal(again.outcome, "duplicate");
  });

  test("needs a name and an id", async () => {
    await using world = await openBook();
    await assert.rejects(
      world.book.once({ eventId: "e" }, () => undefined),
      {
        code: "ONCE_INVALID",
        message: /service book .* subscription/,
      },
    );
    const nameless = world.book.once({} as never, () => undefined, { as: "x" });
    await assert.rejects(nameless, { code: "ONCE_INVALID", message: /eventId is undefined/ });
    const long = world.book.once({ eventId: "e" }, () => undefined, { as: "x".repeat(201) });
    await assert.rejects(long, { code: "ONCE_INVALID", message: /201/ });
  });

  test("is remembered for limits.inboxRetentionMs", async () => {
    const clock = new FakeClock();
    await using world = await openBook(bookIt, clock);
    const work = (): Promise<OnceOutcome> =>
      world.book.once({ eventId: "e" }, () => undefined, { as: "x" });
    assert.deepEqual([await work(), await work()], ["done", "duplicate"]);
    await clock.advance(7 * 86_400_000 - 1000);
    assert.equal(await work(), "duplicate");
    await clock.advance(2000);
    assert.equal(await work(), "done");
    const closing = world.node.close();
    await clock.advance(20_000);
    await closing;
  });

  test("gives up waiting for its duplicate when its call ends", async () => {
    await using world = await openBook();
    const gate = Promise.withResolvers<void>();
    const slow = world.book.once({ eventId: "e" }, () => gate.promise, { as: "x" });
    const stop = new AbortController();
    const other = world.book.once({ eventId: "e" }, () => undefined, {
      as: "x",
      signal: stop.signal,
    });
    stop.abort();
    await assert.rejects(other, { code: "CALL_CANCELLED" });
    gate.resolve();
    assert.equal(await slow, "done");
  });
});

test("a service without stores handles once by its record, and may publish with it", async () => {
  const relay = defineContract("relay", {
    ...head,
    events: { passed: t.Object({ cents: t.Integer() }) },
    subscriptions: { payments: on(till, "paid") },
  });
  const ear = defineContract("ear", { ...head, subscriptions: { passed: on(relay, "passed") } });
  const heard: number[] = [];
  const outcomes: string[] = [];
  let tools: ServiceTools<typeof till> | undefined;
  await using _node = await openNode({
    services: [
      defineService(till, (given) => {
        tools = given;
        return {};
      }),
      defineService(relay, ({ once }) => ({
        subscriptions: {
          async payments(event) {
            const { cents } = event;
            outcomes.push(await once(event, (tx) => tx.publish("passed", { cents })));
          },
        },
      })),
      defineService(ear, () => ({
        subscriptions: { passed: ({ cents }) => void heard.push(cents) },
      })),
    ],
    inMemory: true,
    config: noHttp,
  });
  const eventId = "01999999-0000-7000-8000-000000000002";
  await tools?.publish("paid", { cents: 7 }, { eventId });
  await tools?.publish("paid", { cents: 7 }, { eventId });
  await eventually(() => outcomes.length === 2 && heard.length === 1);
  assert.deepEqual(heard, [7]);
});
