import assert from "node:assert/strict";
import { test } from "node:test";
import { openNode } from "@banyan/host";
import { stock } from "./stock.contract.ts";
import service from "./stock.service.ts";

test("the stock never hands out more than it has, and each order gets its own once", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const { level, receive, reserve } = node.client(stock);
  const item = "tea-pot";
  await receive({ item, count: 200 });
  const ids = Array.from({ length: 250 }, (_, index) => `order-${index}`);
  // Each of them twice, all at once: a repeat must not reserve again.
  await Promise.all([...ids, ...ids].map((orderId) => reserve({ orderId, item, count: 1 })));
  assert.deepEqual(await level({ item }), { item, received: 200, onHand: 0 });
});

test("a delivery that is sent again under its key counts once", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const { level, receive } = node.client(stock);
  const delivery = { idempotencyKey: "delivery-1" };
  await receive({ item: "cup", count: 6 }, delivery);
  await receive({ item: "cup", count: 6 }, delivery);
  await receive({ item: "cup", count: 6 });
  assert.equal((await level({ item: "cup" })).onHand, 12);
});

test("an item that never came in has a level of nothing", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const { level } = node.client(stock);
  assert.deepEqual(await level({ item: "cup" }), { item: "cup", received: 0, onHand: 0 });
});
