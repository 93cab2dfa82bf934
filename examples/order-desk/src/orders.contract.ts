/** What the order desk offers: placing an order, following it, and the ledger of all of them. */

import { defineContract, on, t } from "@banyan/kernel";
import { catalogue } from "./catalogue.contract.ts";
import { stock } from "./stock.contract.ts";
import { itemCount, itemId, next, orderId, pageRequest } from "./wording.ts";

const about = {
  summary: "Takes orders and settles each of them: confirmed or rejected.",
  version: "1.0.0",
  layer: "L3",
} as const; // as written: the layer is that very word

const status = t.Enum(["placed", "confirmed", "rejected"]);

const order = t.Object({
  id: orderId,
  item: itemId,
  count: itemCount,
  priceCents: t.Integer({ minimum: 0, description: "Of one, when the order was placed." }),
  status,
  reason: t.Optional(t.String({ description: "Why it was rejected." })),
  placedAt: t.String({ format: "date-time" }),
});

const amount = t.Integer({ minimum: 0 });

/** One item in the ledger. */
const account = t.Object({
  item: itemId,
  received: amount,
  onHand: amount,
  sold: t.Integer({ minimum: 0, description: "Counted when an order is confirmed." }),
  revenueCents: amount,
  orders: t.Object({ placed: amount, confirmed: amount, rejected: amount }),
  isSettled: t.Boolean({ description: "No order of it moved while the ledger was drawn." }),
  differences: t.Array(t.String(), { description: "What does not add up; empty when all does." }),
});

/** Apart from the contract, because the desk subscribes to its own event. */
const events = {
  placed: {
    summary: "An order was taken; it waits for the stock's answer.",
    payload: t.Object({ orderId, item: itemId, count: itemCount }),
  },
};
const own = defineContract("orders", { ...about, events });

export const orders = defineContract("orders", {
  ...about,
  uses: { catalogue, stock },
  stores: {
    orders: { durability: "durable", value: order, capabilities: ["transaction", "outbox"] },
    sales: {
      durability: "durable",
      summary: "What was sold of each item, counted order by order.",
      value: t.Object({ item: itemId, count: amount, cents: amount }),
      capabilities: ["transaction", "outbox"],
    },
  },
  events,
  // An order must not be given up because something was away for a while.
  subscriptions: {
    placed: on(own, "placed", { retriesMax: 20 }),
    reserved: on(stock, "reserved", { retriesMax: 20 }),
    refused: on(stock, "refused", { retriesMax: 20 }),
  },
  operations: {
    place: {
      summary:
        "Order some of an item. With an idempotency key it is one order, however often sent.",
      access: "anonymous",
      request: t.Object({ item: itemId, count: itemCount }),
      response: order,
      errors: ["ORDERS_ITEM_UNKNOWN"],
    },
    get: {
      summary: "Show one order.",
      access: "anonymous",
      idempotent: true,
      request: t.Object({ id: orderId }),
      response: order,
      errors: ["ORDERS_ORDER_UNKNOWN"],
    },
    list: {
      summary: "List orders, all or of one status; a page may hold fewer than its limit.",
      idempotent: true,
      request: t.Object({ ...pageRequest.properties, status: t.Optional(status) }),
      response: t.Object({ list: t.Array(order), next }),
    },
    ledger: {
      summary: "Hold orders, sales and stock against each other, item by item.",
      idempotent: true,
      response: t.Object({
        items: t.Array(account),
        isSettled: t.Boolean({ description: "All items are: these figures are final." }),
        isConsistent: t.Boolean({ description: "No item has a difference." }),
      }),
    },
  },
  errors: {
    ORDERS_ITEM_UNKNOWN: {
      kind: "not_found",
      summary: "The catalogue has no such item; `catalogue.list` shows what there is.",
    },
    ORDERS_ORDER_UNKNOWN: { kind: "not_found", summary: "No order has this id." },
  },
});
