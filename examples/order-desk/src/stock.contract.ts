/** What the stock offers: how many of each item are there, and reserving some for an order. */

import { defineContract, t } from "@banyan/kernel";
import { itemCount, itemId, next, orderId, pageRequest } from "./wording.ts";

/** `onHand` has a floor: a write that would take it below zero is refused by its own schema. */
const level = t.Object({
  item: itemId,
  received: t.Integer({ minimum: 0, description: "How many ever came in." }),
  onHand: t.Integer({ minimum: 0, description: "How many are left to reserve." }),
});

const reservation = t.Object({ orderId, item: itemId, count: itemCount });
const shared = ["transaction", "outbox"] as const;

export const stock = defineContract("stock", {
  summary: "Counts what is in stock and reserves it for orders.",
  version: "1.0.0",
  layer: "L1",
  stores: {
    levels: { durability: "durable", value: level, capabilities: shared },
    deliveries: {
      durability: "durable",
      summary: "What came in, once for each delivery.",
      value: t.Object({ item: itemId, count: itemCount }),
      capabilities: shared,
    },
    decisions: {
      durability: "durable",
      summary: "What was decided for each order, so that it is decided once.",
      value: t.Object({ item: itemId, count: itemCount, isReserved: t.Boolean() }),
      capabilities: shared,
    },
  },
  events: {
    reserved: reservation,
    refused: t.Object({ ...reservation.properties, reason: t.String() }),
  },
  operations: {
    receive: {
      summary:
        "Take in a delivery. With an idempotency key it counts once, however often it is sent.",
      request: t.Object({ item: itemId, count: itemCount }),
      response: level,
    },
    reserve: {
      summary: "Reserve items for an order; answered by the event reserved or refused.",
      idempotent: true,
      request: reservation,
    },
    level: {
      summary: "Show how many of one item there are.",
      access: "anonymous",
      idempotent: true,
      request: t.Object({ item: itemId }),
      response: level,
    },
    list: {
      summary: "List the levels of all items, in the order of their ids.",
      idempotent: true,
      request: pageRequest,
      response: t.Object({ list: t.Array(level), next }),
    },
  },
});
