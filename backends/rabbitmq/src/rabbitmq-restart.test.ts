/** What waits on the server (retries, delays, letters) when it is stopped and started again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import type { Bus, Delivery } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { group, message, numberOf, quick } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const headers = {
  source: "shop",
  principal: "account:7",
  correlationId: "order 4711",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=1",
  schemaVersion: "3",
  "x-shop-till": "ü 7",
};
const pauseMs = 1500;
const backoff = { initialMs: pauseMs, maxMs: pauseMs, jitter: "none" } as const;

/** Notes what is delivered, and fails for good. */
function failing(seen: Delivery[]): (delivery: Delivery) => void {
  return (delivery) => {
    seen.push(delivery);
    throw new Error("not today");
  };
}

/** Everything is confirmed and acknowledged: what is repeated after that is a fault. */
async function restarted(server: RabbitmqServer, bus: Bus): Promise<void> {
  await until(
    async () => {
      const { outbound } = await bus.status();
      return outbound?.waiting === 0 && outbound.unconfirmed === 0;
    },
    { what: "All is confirmed" },
  );
  await systemClock.sleep(200);
  await server.syncDeclared();
  await server.restart();
}

async function untilBack(bus: Bus): Promise<void> {
  await until(async () => (await bus.status()).outbound?.connected === true, {
    what: "It is connected again",
  });
}

describe("a RabbitMQ that is started again", { concurrency: 2 }, () => {
  for (const queueType of ["quorum", "classic"] as const) {
    test(
      `retries on ${queueType} queues keep their count and every property over a restart`,
      { skip },
      async () => {
        await using server = await openRabbitmq();
        const options = { ...quick(server.url), queueType };
        await using bus = await openRabbitmqBus(options);
        const plain: Delivery[] = [];
        const inOrder: Delivery[] = [];
        await bus.subscribe({ ...group, backoff, retriesMax: 2 }, failing(plain));
        const ordered = { ...group, name: "kept.sold", ordered: true, backoff, retriesMax: 2 };
        await bus.subscribe(ordered, failing(inOrder));
        const sent = message(1, { headers, orderingKey: "till 7" });
        await bus.publish(sent);
        await until(() => plain.length === 1 && inOrder.length === 1, { what: "A first attempt" });
        await restarted(server, bus);
        const letters = await until(
          async () => {
            const page = await bus.deadLetters.list();
            return page.letters.length === 2 && page.letters;
          },
          { what: "Both have given it up" },
        );
        for (const seen of [plain, inOrder]) {
          assert.deepEqual(
            seen.map(({ attempt }) => attempt),
            [1, 2, 3],
          );
          for (const { message: delivered } of seen) assert.deepEqual(delivered, sent);
        }
        for (const letter of letters) {
          assert.deepEqual(letter.message, sent);
          assert.deepEqual([letter.attempts, letter.reason], [3, "retries-exhausted"]);
        }
      },
    );
  }

  test("a delay and an expiry go on while the server is away", { skip }, async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus(quick(server.url));
    const seen: number[] = [];
    await bus.subscribe({ ...group, backoff, retriesMax: 9 }, ({ message: delivered }) => {
      const n = numberOf(delivered);
      seen.push(n);
      if (n === 1) throw new Error("not today");
    });
    const startMs = systemClock.nowMs();
    // It is over when its second attempt would be due.
    await bus.publish(message(1, { expiresAtMs: startMs + pauseMs - 200 }));
    const deliverAtMs = startMs + 3000;
    await bus.publish(message(2, { deliverAtMs, expiresAtMs: startMs + 60_000 }));
    await until(() => seen.length === 1, { what: "A first attempt at the one that expires" });
    await until(async () => (await bus.status()).subscriptions[0]?.delayed === 1, {
      what: "The other one waits on the server",
    });
    await restarted(server, bus);
    await untilBack(bus);
    await until(() => seen.includes(2), { what: "The delayed one" });
    assert(systemClock.nowMs() >= deliverAtMs - 50, "it came too early");
    await until(async () => (await bus.status()).expired === 1, { what: "The other one is over" });
    assert.deepEqual(seen, [1, 2]);
  });
});
