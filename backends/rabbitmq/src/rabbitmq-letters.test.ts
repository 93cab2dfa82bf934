/** Many dead letters: a page of them costs a page, and their order stays. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "amqplib";
import type { Bus } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { group, message, numberOf, numbers } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
/** More than RabbitMQ gives one consumer of a quorum queue at once, whatever its prefetch. */
const COUNT = 3000;

describe("many dead letters on RabbitMQ", { skip }, () => {
  let server: RabbitmqServer;
  before(async () => {
    server = await openRabbitmq();
  });
  after(() => server[Symbol.asyncDispose]());

  /** With as many letters as COUNT, numbered in their order. */
  async function open(namespace: string, queueType: "quorum" | "classic"): Promise<Bus> {
    const bus = await openRabbitmqBus({ url: server.url, namespace, queueType });
    const spec = { ...group, retriesMax: 0, concurrency: 500 };
    const subscription = await bus.subscribe(spec, () => {
      throw new Error("never");
    });
    for (let from = 0; from < COUNT; from += 500) {
      await bus.publish(numbers(500).map((n) => message(from + n)));
    }
    await until(async () => (await bus.status()).deadLettered === COUNT, {
      what: "All are dead",
      timeoutMs: 30_000,
    });
    await subscription.close();
    return bus;
  }

  /** How many messages of a queue were taken out of it and given back. */
  async function countTaken(queue: string): Promise<number> {
    const connection = await connect(server.url);
    const channel = await connection.createChannel();
    const { messageCount } = await channel.checkQueue(queue);
    const all = Promise.withResolvers<undefined>();
    let count = 0;
    let taken = 0;
    await channel.prefetch(COUNT);
    await channel.consume(queue, (delivered) => {
      count += 1;
      if (delivered?.fields.redelivered === true) taken += 1;
      if (count === messageCount) all.resolve(undefined);
    });
    await all.promise;
    await connection.close();
    return taken;
  }

  test("a letter keeps its priority, and so does its redrive", async () => {
    await using bus = await openRabbitmqBus({
      url: server.url,
      namespace: "priority",
      queueType: "classic",
      priorities: true,
    });
    const priorities: (number | undefined)[] = [];
    await bus.subscribe({ ...group, retriesMax: 0 }, ({ message: { priority } }) => {
      priorities.push(priority);
      if (priorities.length === 1) throw new Error("not yet");
    });
    await bus.publish({ ...message(1), priority: 7 });
    const letters = await until(
      async () => {
        const listed = (await bus.deadLetters.list()).letters;
        return listed.length === 1 ? listed : undefined;
      },
      { what: "it is dead" },
    );
    assert.equal(letters[0]?.message.priority, 7);
    assert.equal(await bus.deadLetters.redrive([letters[0].id]), 1);
    await until(() => priorities.length === 2, { what: "it is handled" });
    assert.deepEqual(priorities, [7, 7]);
  });

  async function page(bus: Bus, afterId?: string): Promise<{ ns: number[]; next: string }> {
    const { letters, next = "" } = await bus.deadLetters.list({ limit: 100, after: afterId });
    return { ns: letters.map((letter) => numberOf(letter.message)), next };
  }

  for (const queueType of ["quorum", "classic"] as const) {
    test(`a page of ${queueType} letters takes no more of them than it must`, async () => {
      await using bus = await open(`take-${queueType}`, queueType);
      const first = await page(bus);
      assert.deepEqual(first.ns, numbers(100));
      const second = await page(bus, first.next);
      assert.deepEqual(
        second.ns,
        numbers(100).map((n) => 100 + n),
      );
      const taken = await countTaken(`take-${queueType}.dead.${group.name}`);
      assert(taken >= 200 && taken <= 1000, `${taken} of ${COUNT} were taken`);
    });

    test(`${queueType} letters keep their order, however far somebody reads`, async () => {
      await using bus = await open(`order-${queueType}`, queueType);
      const pages: { ns: number[]; next: string }[] = [];
      for (
        let after_: string | undefined;
        pages.length < COUNT / 100;
        after_ = pages.at(-1)?.next
      ) {
        pages.push(await page(bus, after_));
      }
      assert.deepEqual(
        pages.flatMap(({ ns }) => ns),
        numbers(COUNT),
      );
      // Reads as far as the letter is, and takes it out of the middle.
      const some = await bus.deadLetters.list({ limit: 1, after: pages[4]?.next });
      assert.equal(await bus.deadLetters.discard([some.letters[0]?.id ?? ""]), 1);
      for (const at of [0, 7, 2, 12, 0, 5, 19]) {
        const again = await page(bus, at === 0 ? undefined : pages[at - 1]?.next);
        assert.equal(again.ns[0], at * 100 + (at === 5 ? 1 : 0), `page ${at}`);
        assert.deepEqual(
          again.ns,
          again.ns.toSorted((a, b) => a - b),
        );
      }
    });
  }
});
