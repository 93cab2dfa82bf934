/** What a service says and sees of its events, over a real server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, on, t } from "@banyan/kernel";
import type { Call, EventDelivery } from "@banyan/kernel";
import { CallRuntime } from "@banyan/kernel/internal";
import { createPublisher, subscribeHandlers } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const head = { summary: "For a test.", version: "1.0.0" };

const shop = defineContract("shop", { ...head, events: { sold: t.Object({ piece: t.String() }) } });
const till = defineContract("till", {
  ...head,
  events: { paid: t.Object({ piece: t.String() }) },
  subscriptions: { sold: on(shop, "sold", { backoff: { initialMs: 1, maxMs: 1 } }) },
});
const books = defineContract("books", { ...head, subscriptions: { paid: on(till, "paid") } });

test("headers, priority, attempts and correlation reach the handlers", { skip }, async () => {
  await using server = await openRabbitmq();
  const { url } = server;
  await using bus = await openRabbitmqBus({ url, queueType: "classic", priorities: true });
  const runtime = new CallRuntime();
  const asTill = createPublisher(till, bus);
  const sold: (EventDelivery | undefined)[] = [];
  const paid: (EventDelivery | undefined)[] = [];
  await subscribeHandlers(
    till,
    {
      sold: async ({ piece }: { piece: string }, { delivery }: Call) => {
        sold.push(delivery);
        if (sold.length === 1) throw new Error("The drawer is stuck.");
        await asTill.publish("paid", { piece });
      },
    },
    { bus, runtime },
  );
  const note = (_event: unknown, { delivery }: Call) => void paid.push(delivery);
  await subscribeHandlers(books, { paid: note }, { bus, runtime });
  const headers = { "tenant-id": "7" };
  const options = { headers, priority: 8, correlationId: "order 1" };
  await createPublisher(shop, bus).publish("sold", { piece: "lamp" }, options);
  await until(() => paid.length === 1, { what: "What was sold is paid" });
  const expected = {
    subscription: "till.sold",
    topic: "shop.sold",
    correlationId: "order 1",
    headers,
    priority: 8,
  };
  assert.deepEqual(sold, [
    { ...expected, attempt: 1 },
    { ...expected, attempt: 2 },
  ]);
  assert.deepEqual(paid, [
    {
      subscription: "books.paid",
      topic: "till.paid",
      attempt: 1,
      correlationId: "order 1",
      headers: {},
      priority: 0,
    },
  ]);
});
