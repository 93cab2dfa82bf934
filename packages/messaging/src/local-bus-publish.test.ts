/** Expiries, and what a publisher may ask for, where a journal is slow or a subscription full. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { openMemoryBus } from "./memory.ts";
import { ids, World } from "./journaled-world.test.ts";

const stuck = (): Promise<void> => new Promise(() => undefined);
const mandatory = { mandatory: true } as const;
const enqueue = { mode: "enqueue" } as const;

/** What became of it so far. */
function watch(promise: Promise<void>): { readonly ending: () => string | undefined } {
  let ending: string | undefined;
  promise.then(
    () => {
      ending = "resolved";
    },
    (error: unknown) => {
      ending = isBanyanError(error) ? error.code : "unknown";
    },
  );
  return { ending: () => ending };
}

describe("an enqueued message", () => {
  test("does not wait for the journal, and is delivered when it is safe there", async () => {
    const world = new World({ delayMs: 500 });
    const seen = await world.subscribe();
    const [first, second] = world.messages(2);
    assert(first !== undefined && second !== undefined);
    await world.bus.publish([first, second], enqueue); // no time passes
    assert.deepEqual(seen, []);
    assert.equal((await world.bus.status()).published, 0);
    await world.clock.advance(600);
    assert.deepEqual(seen, ids([first, second]));
    const { published, enqueueFailed } = await world.bus.status();
    assert.deepEqual([published, enqueueFailed], [2, 0]);
  });

  test("that the journal refuses is logged with its id and topic, and counted", async () => {
    const world = new World({ delayMs: 50 });
    const seen = await world.subscribe();
    world.failing("append");
    const messages = world.messages(2);
    await world.bus.publish(messages, enqueue);
    await world.clock.advance(100);
    assert.deepEqual(seen, []);
    const { published, enqueueFailed, subscriptions } = await world.bus.status();
    assert.deepEqual([published, enqueueFailed], [0, 2]);
    assert.equal(subscriptions[0]?.buffered, 0, "its room is free again");
    const told = world.log.lines.filter(({ level }) => level === "error");
    const lost = told.filter(({ message }) => message === "an enqueued message was not kept");
    assert.deepEqual(
      lost.map(({ fields }) => [fields?.["topic"], fields?.["messageId"]]),
      messages.map(({ id, topic }) => [topic, id]),
    );
  });

  test("is mandatory at once where that is asked", async () => {
    const world = new World({ delayMs: 50 });
    await world.subscribe();
    const lost = { ...world.message(), topic: "nobody" };
    const batch = [world.message(), lost, world.message()];
    await assert.rejects(world.soon(world.bus.publish(batch, { ...enqueue, ...mandatory })), {
      code: "MESSAGING_UNROUTED",
      details: { topic: "nobody", accepted: 1 },
    });
  });
});

describe("a mandatory message", () => {
  test("that waits for room is refused when whoever it waited for is gone", async () => {
    const bus = openMemoryBus();
    const spec = { name: "live", topic: "a.b", delivery: "broadcast", bufferMax: 1 } as const;
    const live = await bus.subscribe(spec, stuck);
    const message = (id: string) => ({
      id,
      topic: "a.b",
      timestampMs: 0,
      body: 1,
      headers: { source: "test" },
    });
    await bus.publish(message("m1"), mandatory);
    const waiting = [bus.publish(message("m2"), mandatory), bus.publish(message("m3"), mandatory)];
    const plain = watch(bus.publish(message("m4")));
    const refused = waiting.map((each) =>
      assert.rejects(each, { code: "MESSAGING_UNROUTED", details: { topic: "a.b", accepted: 0 } }),
    );
    await live.close({ drainMs: 0 });
    await Promise.all(refused);
    assert.equal(plain.ending(), "resolved", "who did not ask for it is accepted");
    await bus.close();
  });

  test("behind others of its batch is found out when the wait for room is over", async () => {
    const world = new World();
    let go = (): void => undefined;
    const spec = { bufferMax: 1 };
    const seen = await world.subscribe(() => new Promise<void>((resolve) => (go = resolve)), spec);
    const [first, second] = world.messages(2);
    assert(first !== undefined && second !== undefined);
    const batch = [first, second, { ...world.message(), topic: "nobody" }];
    const publishing = world.bus.publish(batch, mandatory);
    const told = watch(publishing);
    await world.clock.advance(20);
    assert.equal(told.ending(), undefined, "it waits for room");
    go();
    await assert.rejects(world.soon(publishing), {
      code: "MESSAGING_UNROUTED",
      details: { topic: "nobody", accepted: 2 },
    });
    assert.deepEqual(seen, ids([first, second]));
  });
});

describe("an expiry", () => {
  test("that is over at the publish waits for no room", async () => {
    const world = new World();
    await world.subscribe(stuck, { bufferMax: 1 });
    await world.soon(world.bus.publish(world.message()));
    const over = { ...world.message(), expiresAtMs: world.clock.nowMs() };
    await world.bus.publish(over);
    await world.bus.publish([over, over], enqueue);
    const { published, expired, unrouted } = await world.bus.status();
    assert.deepEqual([published, expired, unrouted], [4, 3, 0]);
  });

  test("frees the key of an ordered message, and the room of a publish that waits", async () => {
    const world = new World();
    let go = (): void => undefined;
    const first = { ...world.message(), orderingKey: "k" };
    const over = { ...world.message(), orderingKey: "k", expiresAtMs: world.clock.nowMs() + 100 };
    const [third, fourth] = world.messages(2).map((each) => ({ ...each, orderingKey: "k" }));
    assert(third !== undefined && fourth !== undefined);
    const spec = { ordered: true, bufferMax: 3 };
    const seen = await world.subscribe(
      ({ message }) =>
        message.id === first.id ? new Promise<void>((resolve) => (go = resolve)) : undefined,
      spec,
    );
    await world.soon(world.bus.publish([first, over, third]));
    const told = watch(world.bus.publish(fourth));
    await world.clock.advance(200);
    assert.equal(told.ending(), undefined, "it counts as held until its turn comes");
    go();
    await world.clock.advance(50);
    assert.deepEqual(seen, ids([first, third, fourth]));
    assert.equal((await world.bus.status()).expired, 1);
    assert.deepEqual(await world.soon(world.bus.close()), { unhandled: 0, lost: 0 });
    assert.equal(world.disk.groups.get(1)?.rows.size, 0, "nothing of it stays in the journal");
  });

  test("of many is told once", async () => {
    const world = new World();
    const { close } = await world.bus.subscribe(
      { name: "log.all", topic: world.message().topic, delivery: "group" },
      () => undefined,
    );
    await world.soon(close());
    const expiresAtMs = world.clock.nowMs() + 100;
    const messages = world.messages(50).map((each) => ({ ...each, expiresAtMs }));
    await world.soon(world.bus.publish(messages));
    await world.clock.advance(200);
    await world.subscribe(undefined, { name: "log.all" });
    await world.clock.advance(100);
    const told = world.log.lines.filter(({ message }) => message.includes("expiresAtMs"));
    assert.deepEqual(
      told.map(({ level, fields }) => [level, fields?.["dropped"]]),
      [["info", 50]],
    );
  });
});
