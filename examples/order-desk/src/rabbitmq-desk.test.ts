/** The order desk with its stores in a file and its events on RabbitMQ, by configuration alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import { openCommand } from "./command-desk.test.ts";
import { stocked } from "./end-to-end.ts";
import { orders } from "./orders.contract.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

test("an order kept in a file is settled by events that go over RabbitMQ", { skip }, async () => {
  await using server = await openRabbitmq();
  await using desk = await openCommand({
    engines: { bus: "rabbitmq" },
    rabbitmq: { url: server.url },
    outbox: { leaseMs: 1000, pollMs: 200 },
  });
  const item = await stocked(desk, { count: 5 });
  const { place, get } = desk.client(orders);
  const order = await place({ item, count: 2 });
  const isConfirmed = async (): Promise<boolean> => {
    return (await get({ id: order.id })).status === "confirmed";
  };
  await until(isConfirmed, { what: "It is confirmed", timeoutMs: 30_000 });
  const queues = (await server.queues()).map(({ name }) => name);
  for (const name of ["orders.placed", "orders.reserved", "orders.refused"]) {
    assert(
      queues.includes(`banyan.group.${name}`),
      `no queue of ${name} among ${queues.join(", ")}`,
    );
  }
});
