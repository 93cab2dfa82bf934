import assert from "node:assert/strict";
import { test } from "node:test";
import { openNode } from "@banyan/host";
import { systemClock } from "@banyan/kernel";
import { withTimeout } from "@banyan/testbed";
import { catalogue } from "./catalogue.contract.ts";
import catalogueService from "./catalogue.service.ts";
import { orders } from "./orders.contract.ts";
import ordersService from "./orders.service.ts";
import { stock } from "./stock.contract.ts";
import stockService from "./stock.service.ts";

const services = [catalogueService, stockService, ordersService];

test("orders are listed by status, and a rejected one says why", async () => {
  await using node = await openNode({ services, inMemory: true });
  const { get, ledger, list, place } = node.client(orders);
  await node.client(catalogue).put({ id: "cup", name: "Cup", priceCents: 400 });
  await node.client(stock).receive({ item: "cup", count: 3 });
  const kept = await place({ item: "cup", count: 3 });
  const settled = async (): Promise<void> => {
    while (!(await ledger({})).isSettled) await systemClock.sleep(1);
  };
  await withTimeout(settled(), { what: "the settling of the first order" });
  const late = await place({ item: "cup", count: 1 });
  await withTimeout(settled(), { what: "the settling of the second order" });
  const idsOf = async (status: "confirmed" | "rejected"): Promise<string[]> =>
    (await list({ status })).list.map(({ id }) => id);
  assert.deepEqual([await idsOf("confirmed"), await idsOf("rejected")], [[kept.id], [late.id]]);
  assert.equal((await get({ id: late.id })).reason, "0 of cup in stock, 1 ordered");
  assert.equal((await list({})).list.length, 2);
});

test("an order that nobody placed is unknown", async () => {
  await using node = await openNode({ services, inMemory: true });
  const asking = Promise.resolve(node.client(orders).get({ id: "nobodys" }));
  await assert.rejects(asking, { code: "ORDERS_ORDER_UNKNOWN", kind: "not_found" });
});
