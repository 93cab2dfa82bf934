/**
 * Places orders at a running order desk until so many are acknowledged. The node may be killed and
 * started again meanwhile: what was not acknowledged is sent again under its idempotency key.
 *
 *   npm run load -w @banyan/order-desk -- [--orders 1000] [--clients 16] [--rate 200]
 *     [--stock 1000] [--item tea-pot] [--url http://localhost:7600] [--data-dir .banyan]
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { isBanyanError, systemClock, systemIds } from "@banyan/kernel";
import { catalogue } from "./src/catalogue.contract.ts";
import { httpClient } from "./src/http-client.ts";
import { ledgerText } from "./src/ledger-text.ts";
import { placeOrders, untilAnswered } from "./src/load.ts";
import { findNode } from "./src/node-address.ts";
import { orders } from "./src/orders.contract.ts";
import { stock } from "./src/stock.contract.ts";

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "1000" },
    clients: { type: "string", default: "16" },
    rate: { type: "string" },
    stock: { type: "string", default: "1000" },
    item: { type: "string", default: "tea-pot" },
    url: { type: "string" },
    "data-dir": { type: "string" },
  },
});
const { item } = values;
const print = (line: string): unknown => process.stdout.write(`${line}\n`);
const total = numberOf("orders");
const dataDirectory = resolve(values["data-dir"] ?? resolve(import.meta.dirname, "../../.banyan"));
const node = findNode({ url: values.url, dataDirectory });
const desk = httpClient(orders, node);
let toldMs = systemClock.monotonicMs();
const patience = {
  clock: systemClock,
  /** One line a second, so that nobody stares at nothing while the node is away. */
  onRepeat(error: unknown): void {
    if (systemClock.monotonicMs() - toldMs < 1000) return;
    toldMs = systemClock.monotonicMs();
    print(`still asking: ${error instanceof Error ? error.message : String(error)}`);
  },
};
const keyPrefix = systemIds.uuid();

const delivery = { item, count: numberOf("stock") };
await untilAnswered(
  () => httpClient(catalogue, node).put({ id: item, name: item, priceCents: 1250 }),
  patience,
);
await untilAnswered(
  () => httpClient(stock, node).receive(delivery, { idempotencyKey: keyPrefix }),
  patience,
);
print(`Placing ${total} orders for ${item} at ${node.url}; kill the node as you like.`);

const startedMs = systemClock.monotonicMs();
const { acknowledged, repeats } = await placeOrders({
  orders: desk,
  item,
  clients: numberOf("clients"),
  perSecond: values.rate === undefined ? undefined : numberOf("rate"),
  goesOn: (begun) => begun < total,
  keyPrefix,
  ...patience,
});
const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
print(`${acknowledged.size} acknowledged in ${seconds.toFixed(1)} s, ${repeats} sent again.`);

const counts = await settle();
print(`Of these ${counts.confirmed} confirmed, ${counts.rejected} rejected, ${counts.lost} lost.`);
const ledger = await untilAnswered(() => desk.ledger({}), patience);
print("");
process.stdout.write(ledgerText(ledger));
process.exitCode = ledger.isConsistent && counts.lost === 0 ? 0 : 1;

/** Waits until every acknowledged order is settled; `lost` are those the desk does not know. */
async function settle(): Promise<{ confirmed: number; rejected: number; lost: number }> {
  const found = { confirmed: 0, rejected: 0, lost: 0 };
  for (const { id } of acknowledged.values()) {
    let status = await statusOf(id);
    while (status === "placed") {
      await systemClock.sleep(50);
      status = await statusOf(id);
    }
    found[status] += 1;
  }
  return found;
}

async function statusOf(id: string): Promise<"placed" | "confirmed" | "rejected" | "lost"> {
  try {
    return (await untilAnswered(() => desk.get({ id }), patience)).status;
  } catch (error) {
    if (isBanyanError(error, "ORDERS_ORDER_UNKNOWN")) return "lost";
    throw error;
  }
}

/** @throws when the option is no whole number of 1 or more. */
function numberOf(option: "orders" | "clients" | "rate" | "stock"): number {
  const number = Number(values[option]);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new RangeError(`--${option} is "${values[option]}"; write a whole number of 1 or more.`);
}
