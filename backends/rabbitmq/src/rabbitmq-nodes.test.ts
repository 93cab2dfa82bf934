/**
 * Several nodes on one namespace: they share what is ordered, agree on groups, and give no letter
 * away twice. Run with arguments, this file is one of the nodes.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import type { Bus, DeliveryHandler } from "@banyan/messaging";
import {
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  spawnNode,
  until,
} from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { codeOf, group, message, numberOf, numbers } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const MESSAGES = 4000;
const KEYS = 40;
const ordered = { ...group, ordered: true, concurrency: 16 } as const;

const [, , url, namespace] = process.argv;

if (url === undefined || namespace === undefined) await describeNodes();
else {
  const bus = await openRabbitmqBus({ url, namespace });
  await bus.subscribe(
    ordered,
    note((entry) => console.log(`entry ${JSON.stringify(entry)}`)),
  );
  console.log("joined");
}

/** One handling of one message, in milliseconds since 1970: one machine, one clock. */
interface Entry {
  readonly n: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A handler that takes two milliseconds, and tells of it before it acknowledges. */
function note(tell: (entry: Entry) => void): DeliveryHandler {
  return async (delivery) => {
    const beganMs = nowMs();
    await systemClock.sleep(2);
    tell({ n: numberOf(delivery.message), beganMs, endedMs: nowMs() });
  };
}

/** Number n has the key n modulo KEYS: whoever is next of its key is n + KEYS. */
function assertOrder(entries: readonly Entry[]): void {
  const byNumber = Map.groupBy(entries, ({ n }) => n);
  for (const n of numbers(MESSAGES)) {
    const own = byNumber.get(n) ?? [];
    const next = byNumber.get(n + KEYS) ?? [];
    assert(own.length > 0, `${n} was not handled`);
    const firstEndMs = Math.min(...own.map(({ endedMs }) => endedMs));
    const nextBeginMs = Math.min(...next.map(({ beganMs }) => beganMs));
    // Between two processes the clocks of one machine differ by less than this.
    assert(firstEndMs <= nextBeginMs + 0.5, `${n + KEYS} began before ${n} had ended`);
  }
}

async function describeNodes(): Promise<void> {
  const skip = await findReasonToSkip(rabbitmqPrograms);
  if (skip !== false) {
    test("several nodes on one namespace", { skip }, () => undefined);
    return;
  }
  let opening: Promise<RabbitmqServer> | undefined;
  let users = 4;
  let namespaces = 0;
  const onServer = (
    title: string,
    work: (open: () => Promise<Bus>, world: World) => Promise<void>,
  ): void => {
    test(title, async () => {
      const server = await (opening ??= openRabbitmq());
      const world = { server, namespace: `nodes-${(namespaces += 1)}` };
      try {
        const options = { url: server.url, namespace: world.namespace };
        await work(() => openRabbitmqBus(options), world);
      } finally {
        users -= 1;
        if (users === 0) await server[Symbol.asyncDispose]();
      }
    });
  };
  describe("several nodes on one namespace", { concurrency: 2 }, () => {
    onServer("order holds while members join, are closed and are killed", order);
    onServer("of two that open a group at once with different topics one wins", agreement);
    onServer("letters are seen whole by all who look at once, and redriven once each", letters);
    onServer("a partition goes to whoever joins, and comes back when it leaves", shares);
  });
}

interface World {
  readonly server: RabbitmqServer;
  readonly namespace: string;
}

async function order(open: () => Promise<Bus>, world: World): Promise<void> {
  await using first = await open();
  const entries: Entry[] = [];
  const by: Record<"first" | "third", number> = { first: 0, third: 0 };
  const noteFor = (who: keyof typeof by): DeliveryHandler =>
    note((entry) => {
      by[who] += 1;
      entries.push(entry);
    });
  await first.subscribe(ordered, noteFor("first"));
  await using child = spawnNode(import.meta.filename, [world.server.url, world.namespace]);
  const ofChild = (): Entry[] =>
    [...child.stdout.matchAll(/^entry (.*)\n/gm)].map(([, text = ""]): Entry => JSON.parse(text));
  let next = 0;
  const publishUpTo = async (count: number): Promise<void> => {
    while (next < count) {
      const batch = numbers(50).map((n) =>
        message(next + n, { orderingKey: `k${(next + n) % KEYS}` }),
      );
      next += batch.length;
      await first.publish(batch);
    }
  };
  await child.waitForLine(/^joined$/, { timeoutMs: 20_000 });
  const publishUntil = (isDone: () => boolean, what: string): Promise<true> =>
    until(
      async () => {
        await publishUpTo(Math.min(next + 50, 3000));
        return isDone();
      },
      { what, everyMs: 20 },
    );
  await publishUntil(() => ofChild().length > 20, "The second member handles too");
  await using third = await open();
  const joined = await third.subscribe(ordered, noteFor("third"));
  await publishUntil(() => by.third > 20, "The third one handles too");
  const publishing = publishUpTo(3500);
  await child.kill();
  await publishing;
  const rest = publishUpTo(MESSAGES);
  await joined.close();
  await rest;
  const handled = (): Set<number> => new Set([...entries, ...ofChild()].map(({ n }) => n));
  await until(() => handled().size === MESSAGES, {
    what: "All are handled",
    timeoutMs: 20_000,
    everyMs: 100,
  });
  assertOrder([...entries, ...ofChild()]);
}

async function agreement(open: () => Promise<Bus>): Promise<void> {
  await using one = await open();
  await using two = await open();
  for (let round = 0; round < 8; round += 1) {
    const name = `group.${round}`;
    const ends = await Promise.all([
      codeOf(one.subscribe({ ...group, name, topic: "a" }, () => undefined)),
      codeOf(two.subscribe({ ...group, name, topic: "b" }, () => undefined)),
    ]);
    assert.deepEqual(ends.toSorted(), ["MESSAGING_SUBSCRIPTION_CONFLICT", "done"]);
    const topics = await Promise.all(
      [one, two].map(async (bus) => {
        const { subscriptions } = await bus.status();
        return subscriptions.find((each) => each.name === name)?.topic;
      }),
    );
    const topic = ends[0] === "done" ? "a" : "b";
    assert.deepEqual(topics, [topic, topic], "both know the same");
  }
}

async function letters(open: () => Promise<Bus>): Promise<void> {
  await using one = await open();
  await using two = await open();
  const count = 60;
  const handled: number[] = [];
  let isBroken = true;
  await one.subscribe({ ...group, retriesMax: 0 }, (delivery) => {
    if (isBroken) throw new Error("broken");
    handled.push(numberOf(delivery.message));
  });
  await one.publish(numbers(count).map((n) => message(n)));
  const dead = async (bus: Bus) => (await bus.deadLetters.list({ limit: 1000 })).letters;
  await until(async () => (await dead(two)).length === count, { what: "All are dead" });
  const looks = await Promise.all([one, two, one, two, one, two].map(dead));
  assert.deepEqual(
    looks.map((each) => each.length),
    looks.map(() => count),
  );
  isBroken = false;
  const ids = looks[0]?.map(({ id }) => id) ?? [];
  const away = ids.slice(0, 10);
  const [redriven, redrivenToo, discarded, discardedToo] = await Promise.all([
    one.deadLetters.redrive(ids.slice(10)),
    two.deadLetters.redrive(ids.slice(10)),
    two.deadLetters.discard(away),
    one.deadLetters.discard(away),
    dead(one),
    dead(two),
  ]);
  assert.deepEqual([redriven + redrivenToo, discarded + discardedToo], [count - 10, 10]);
  assert.deepEqual([(await dead(one)).length, (await dead(two)).length], [0, 0]);
  await until(() => handled.length >= count - 10, { what: "They are handled" });
  // Whatever came twice would be here before the one that is published now.
  await one.publish(message(1000));
  await until(() => handled.includes(1000), { what: "The last one" });
  const discardedNumbers = new Set(looks[0]?.slice(0, 10).map((each) => numberOf(each.message)));
  const expected = numbers(count).filter((n) => !discardedNumbers.has(n));
  assert.deepEqual(
    handled.toSorted((a, b) => a - b),
    [...expected, 1000],
  );
}

async function shares(open: () => Promise<Bus>): Promise<void> {
  await using one = await open();
  await using two = await open();
  const seen = { one: 0, two: 0 };
  await one.subscribe(ordered, () => void (seen.one += 1));
  const publish = async (): Promise<void> => {
    await one.publish(numbers(KEYS).map((n) => message(n, { orderingKey: `k${n}` })));
  };
  await publish();
  await until(() => seen.one === KEYS, { what: "One member has them all" });
  const other = await two.subscribe(ordered, () => void (seen.two += 1));
  // Which partitions go over takes a moment; in the end it is half of the keys, or nearly.
  await until(
    async () => {
      seen.one = 0;
      seen.two = 0;
      await publish();
      await until(() => seen.one + seen.two >= KEYS, { what: "All are handled" });
      return seen.one >= KEYS / 5 && seen.two >= KEYS / 5;
    },
    { what: "Both handle their share", everyMs: 50 },
  );
  await other.close();
  seen.one = 0;
  await publish();
  await until(() => seen.one === KEYS, { what: "One member has them all again" });
}
