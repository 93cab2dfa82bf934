/** What an operator, or a stranger's script, takes away from under a bus is made again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import type { Bus, DeliveryHandler } from "@banyan/messaging";
import {
  createRecordingLog,
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  until,
} from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { codeOf, group, message, numberOf, quick, topic } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

interface World {
  readonly server: RabbitmqServer;
  readonly bus: Bus;
  /** Numbers of what was handled, in that order. */
  readonly seen: number[];
  /** Notes the number; a negative one fails for good. */
  readonly handler: DeliveryHandler;
  /** A name of the namespace. */
  named(rest: string): string;
  /** Publishes one; it must be accepted, and be handled in time. */
  arrives(n: number, what: string): Promise<void>;
  openAnother(options?: RabbitmqOptions): Promise<Bus>;
}

describe("a RabbitMQ that is changed by hand", { concurrency: 4 }, () => {
  /** All on one server: each test has a namespace of its own. */
  let opening: Promise<RabbitmqServer> | undefined;
  let users = 0;
  let namespaces = 0;

  function onServer(title: string, work: (world: World) => Promise<void>): void {
    users += 1;
    test(title, { skip, timeout: 60_000 }, async () => {
      const server = await (opening ??= openRabbitmq());
      try {
        const namespace = `by-hand-${(namespaces += 1)}`;
        await inWorld(server, namespace, work);
      } finally {
        users -= 1;
        if (users === 0) await server[Symbol.asyncDispose]();
      }
    });
  }

  onServer(
    "the queue of a group is back within two seconds, and nothing after is lost",
    async (world) => {
      const { bus, server, handler, seen, named } = world;
      await bus.subscribe(group, handler);
      await world.arrives(1, "The first");
      const startMs = performance.now();
      await server.deleteQueue(named("group.till.sold"));
      // Accepted while the queue may not be there: it is nobody's fault but must not be lost.
      for (let n = 2; n < 50; n += 1) await bus.publish(message(n));
      await until(() => seen.length === 49, { what: "All that was accepted is handled" });
      const tookMs = performance.now() - startMs;
      assert(tookMs < 5000, `${tookMs} ms`);
      const { subscriptions } = await bus.status();
      assert.equal(subscriptions[0]?.members, 1);
    },
  );

  onServer(
    "the queue of a group without members is made again when somebody publishes",
    async (world) => {
      const { bus, server, handler, named, seen } = world;
      const subscription = await bus.subscribe(group, handler);
      await subscription.close();
      await server.deleteQueue(named("group.till.sold"));
      await bus.publish(message(1));
      await bus.subscribe(group, handler);
      await until(() => seen.includes(1), { what: "The message that came meanwhile" });
    },
  );

  onServer(
    "an exchange is made again with the bindings of all groups, also of those without members",
    async (world) => {
      const { bus, server, handler, named, seen } = world;
      await bus.subscribe(group, handler);
      const idle = { ...group, name: "idle.sold" };
      await (await bus.subscribe(idle, handler)).close();
      await bus.subscribe({ ...group, name: "each.sold", delivery: "broadcast" }, handler);
      for (const exchange of ["events", "keyed"]) {
        await server.deleteExchange(named(exchange));
        const key = exchange === "keyed" ? { orderingKey: "a" } : {};
        const before = seen.length;
        await bus.publish(message(before, key));
        await until(() => seen.length === before + 2, { what: `The ${exchange} go to both` });
      }
      await bus.subscribe(idle, handler);
      await until(() => seen.length === 6, { what: "The group without members has got them too" });
    },
  );

  onServer(
    "an exchange that is deleted while a connection is away is bound again too",
    async (world) => {
      const { bus, server, handler, named, seen } = world;
      const idle = { ...group, name: "idle.sold" };
      await (await bus.subscribe(idle, handler)).close();
      await server.deleteExchange(named("events"));
      await using other = await world.openAnother();
      await other.publish(message(1));
      await bus.publish(message(2));
      await other.subscribe(idle, handler);
      await until(() => seen.length === 2, { what: "Both are handled" });
    },
  );

  onServer("a message of an ordered group that is to come later does come", async (world) => {
    const { bus, handler, seen } = world;
    await bus.subscribe({ ...group, ordered: true }, handler);
    const deliverAtMs = systemClock.nowMs() + 500;
    await bus.publish(message(1, { orderingKey: "a", deliverAtMs }));
    await bus.publish(message(2, { orderingKey: "a" }));
    await until(() => seen.length === 2, { what: "Both" });
    assert.deepEqual(seen, [2, 1]);
  });

  for (const part of ["queue", "exchange"] as const) {
    onServer(`the ${part} of a wait is made again, and no retry is lost`, async (world) => {
      const { bus, server, named } = world;
      const attempts: number[] = [];
      const backoff = { initialMs: 300, maxMs: 300, jitter: "none" } as const;
      await bus.subscribe({ ...group, backoff }, ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 2) throw new Error("not yet");
      });
      await bus.publish(message(1));
      await until(() => attempts.length === 2, { what: "A message that is tried twice" });
      const name = named("wait.quorum.200");
      await (part === "queue" ? server.deleteQueue(name) : server.deleteExchange(name));
      await bus.publish(message(2));
      await until(() => attempts.length === 4, { what: "Another one" });
      await bus.publish(message(3));
      await until(() => attempts.length === 6, { what: "A third one" });
    });
  }

  onServer(
    "exchanges that nobody publishes to just now are missed within two seconds, and retries come",
    async (world) => {
      const { bus, server, named } = world;
      const attempts: number[] = [];
      const backoff = { initialMs: 6000, maxMs: 6000, jitter: "none" } as const;
      await bus.subscribe({ ...group, backoff }, ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 2) throw new Error("not yet");
      });
      const live = { ...group, name: "each.sold", delivery: "broadcast" } as const;
      await bus.subscribe({ ...live, backoff }, ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 2) throw new Error("not yet");
      });
      await bus.publish(message(1));
      const isWaiting = async (): Promise<boolean> =>
        (await bus.status()).subscriptions.every(({ retrying }) => retrying === 1);
      await until(isWaiting, { what: "Both wait for their second attempt" });
      const names = ["return", "gone", "again", "members"].map(named);
      for (const name of names) await server.deleteExchange(name);
      const startMs = performance.now();
      const areBack = async (): Promise<boolean> => {
        const there = new Set((await server.exchanges()).map(({ name }) => name));
        return names.every((name) => there.has(name));
      };
      await until(areBack, { what: "They are back" });
      const tookMs = performance.now() - startMs;
      assert(tookMs < 5000, `${tookMs} ms`); // two seconds, and a busy machine
      await until(() => attempts.length === 4, { what: "The second attempts" });
      assert.deepEqual(
        attempts.toSorted((a, b) => a - b),
        [1, 1, 2, 2],
      );
    },
  );

  onServer("the queue of a broadcast is made again", async (world) => {
    const { bus, server, handler, seen } = world;
    await bus.subscribe({ ...group, name: "each.sold", delivery: "broadcast" }, handler);
    await world.arrives(1, "The first");
    const live = (await server.queues()).find(({ name }) => name.includes("live.each.sold"));
    await server.deleteQueue(live?.name ?? "");
    await until(
      async () => {
        await bus.publish(message(2));
        return seen.includes(2);
      },
      { what: "Another one", everyMs: 50 },
    );
  });

  onServer(
    "the overflow of broadcasts is counted again when its queue was deleted",
    async (world) => {
      const { bus, server, named } = world;
      const live = { ...group, name: "each.sold", delivery: "broadcast" } as const;
      const gate = Promise.withResolvers<undefined>();
      await bus.subscribe({ ...live, bufferMax: 1, concurrency: 1 }, () => gate.promise);
      const letters = async (): Promise<number> => (await bus.deadLetters.list()).letters.length;
      await bus.publish([1, 2, 3].map((n) => message(n)));
      await until(async () => (await letters()) === 1, { what: "One is too many" });
      await server.deleteQueue(named("overflow"));
      const isRead = async (): Promise<boolean> =>
        (await server.queues()).some(
          ({ name, consumers }) => name === named("overflow") && consumers === 1,
        );
      await until(isRead, { what: "There is another queue, and it is read" });
      // The list may still be of the one that was deleted: what overflows without one is lost.
      let next = 4;
      const isCounted = async (): Promise<boolean> => {
        await bus.publish(message(next));
        next += 1;
        return (await letters()) > 1;
      };
      await until(isCounted, { what: "Another one" });
      gate.resolve(undefined);
    },
  );

  onServer("the queue of dead letters is made again for the next letter", async (world) => {
    const { bus, server, handler, named } = world;
    await bus.subscribe({ ...group, retriesMax: 0 }, handler);
    await bus.publish(message(-1));
    const count = async (): Promise<number> => (await bus.deadLetters.list()).letters.length;
    await until(async () => (await count()) === 1, { what: "A letter" });
    await server.deleteQueue(named("dead.till.sold"));
    await bus.publish(message(-2));
    await until(async () => (await count()) === 1, { what: "A letter in a new queue" });
    const { letters } = await bus.deadLetters.list();
    assert.deepEqual(
      letters.map((each) => numberOf(each.message)),
      [-2],
    );
    assert.equal(await bus.deadLetters.redrive(letters.map(({ id }) => id)), 1);
    await until(async () => (await count()) === 1, { what: "It is dead again" });
  });

  onServer(
    "a registry that is deleted is written anew, with groups, lives and letters",
    async (world) => {
      const { bus, server, handler, named } = world;
      await bus.subscribe({ ...group, retriesMax: 0 }, handler);
      const live = { ...group, name: "each.sold", delivery: "broadcast" } as const;
      await bus.subscribe({ ...live, retriesMax: 0 }, handler);
      await bus.publish(message(-1));
      const letters = async (of: Bus): Promise<readonly string[]> =>
        (await of.deadLetters.list()).letters.map(({ subscription }) => subscription).toSorted();
      const both = ["each.sold", "till.sold"];
      await until(async () => (await letters(bus)).length === 2, { what: "Two letters" });
      assert.deepEqual(await letters(bus), both);
      await server.deleteQueue(named("registry"));
      await world.arrives(1, "One after the registry was deleted");
      const fresh = { ...group, name: "new.sold" };
      const works = async (): Promise<boolean> =>
        (await codeOf(bus.subscribe(fresh, handler))) === "done";
      await until(works, { what: "A new group", timeoutMs: 40_000 });
      // Another node knows from the new log all that was in the old one.
      await using other = await world.openAnother();
      assert.equal(
        await codeOf(other.subscribe({ ...group, topic: "other" }, handler)),
        "MESSAGING_SUBSCRIPTION_CONFLICT",
      );
      const { subscriptions } = await other.status();
      assert.deepEqual(subscriptions.map(({ name }) => name).toSorted(), ["new.sold", "till.sold"]);
      assert.deepEqual(await letters(other), both);
    },
  );

  onServer("connections that an operator closes come back by themselves", async (world) => {
    // On a server of its own: all connections are closed.
    await using server = await openRabbitmq();
    await inWorld(server, "closed", async (own) => {
      const { bus, handler, seen } = own;
      await bus.subscribe(group, handler);
      for (let round = 0; round < 3; round += 1) {
        await own.arrives(round, "One before");
        assert.equal(await server.closeConnections(), 2);
        const publishing = Array.from({ length: 20 }, (_, n) =>
          bus.publish(message(100 * (round + 1) + n)),
        );
        await Promise.all(publishing);
        await until(() => new Set(seen).size === 21 * (round + 1), { what: "All are handled" });
      }
      await bus.check();
    });
    void world;
  });

  onServer(
    "the announcements of members are heard again when their exchange was deleted",
    async (world) => {
      const { bus, server, handler, named } = world;
      await using other = await world.openAnother();
      const spec = { ...group, ordered: true } as const;
      const members: Bus[] = [bus, other];
      for (const each of members) await each.subscribe(spec, handler);
      await server.deleteExchange(named("members"));
      // Somebody announces itself, into an exchange that is not there.
      await using third = await world.openAnother();
      await third.subscribe(spec, handler);
      const bindings = async (): Promise<number> => {
        const resource = `rabbit_misc:r(<<"/">>, exchange, <<"${named("members")}">>)`;
        return Number(await server.ask(`length(rabbit_binding:list_for_source(${resource}))`));
      };
      await until(async () => (await bindings()) === 3, {
        what: "All three hear of each other",
        timeoutMs: 20_000,
      });
    },
  );
});

async function inWorld(
  server: RabbitmqServer,
  namespace: string,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const log = createRecordingLog();
  const options = { ...quick(server.url), namespace, heartbeatS: 5, publishTimeoutMs: 5000, log };
  await using bus = await openRabbitmqBus(options);
  const seen: number[] = [];
  try {
    await work({
      server,
      bus,
      seen,
      handler: ({ message: handled }) => {
        const n = numberOf(handled);
        if (n < 0) throw new Error("never");
        seen.push(n);
      },
      named: (rest) => `${namespace}.${rest}`,
      async arrives(n, what) {
        await bus.publish(message(n));
        await until(() => seen.includes(n), { what });
      },
      openAnother: (own = {}) => openRabbitmqBus({ ...options, ...own }),
    });
  } catch (error) {
    for (const { level, message: said, fields } of log.lines) console.error(level, said, fields);
    throw error;
  }
}
void systemClock;
void topic;
