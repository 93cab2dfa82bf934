/** What the catalogue offers: the items of the shop, with their prices. */

import { defineContract, t } from "@banyan/kernel";
import { itemId, next, pageRequest } from "./wording.ts";

const item = t.Object({
  id: itemId,
  name: t.String({ minLength: 1, maxLength: 200 }),
  priceCents: t.Integer({ minimum: 0, maximum: 100_000_000 }),
});

export const catalogue = defineContract("catalogue", {
  summary: "Knows every item and its price.",
  version: "1.0.0",
  layer: "L1",
  stores: { items: { durability: "durable", value: item } },
  operations: {
    put: {
      summary: "Add an item, or change its name or price.",
      idempotent: true,
      request: item,
      response: item,
    },
    get: {
      summary: "Show one item.",
      access: "anonymous",
      idempotent: true,
      request: t.Object({ id: itemId }),
      response: item,
      errors: ["CATALOGUE_ITEM_UNKNOWN"],
    },
    list: {
      summary: "List the items, in the order of their ids.",
      access: "anonymous",
      idempotent: true,
      request: pageRequest,
      response: t.Object({ list: t.Array(item), next }),
    },
  },
  errors: {
    CATALOGUE_ITEM_UNKNOWN: {
      kind: "not_found",
      summary: "The catalogue has no such item; `catalogue.list` shows what there is.",
    },
  },
});
