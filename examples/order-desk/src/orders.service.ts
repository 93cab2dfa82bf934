/** The desk's code: an order is written with the event that moves it on, and settled once. */

import { defineService, isBanyanError } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";
import { drawLedger, tallyByItem } from "./ledger.ts";
import { orders } from "./orders.contract.ts";
import { everyPage, listed, requestId } from "./wording.ts";

type Order = Static<typeof orders.spec.stores.orders.value>;

export default defineService(orders, ({ stores, clients, transaction, once, ids, clock }) => ({
  operations: {
    async place({ item, count }, call) {
      const { priceCents } = await clients.catalogue.get({ id: item }, call).catch(asOurs);
      const id = requestId(call, ids);
      return transaction(async (tx) => {
        const known = await tx.stores.orders.get(id);
        // Placed before: only the answer was lost.
        if (known !== undefined) return known;
        const placedAt = new Date(clock.nowMs()).toISOString();
        const order: Order = { id, item, count, priceCents, status: "placed", placedAt };
        tx.stores.orders.set(id, order);
        tx.publish("placed", { orderId: id, item, count });
        return order;
      }, call);
    },

    get: async ({ id }, call) => existing(await stores.orders.get(id, call), id),

    async list({ status, ...page }, { signal }) {
      const { list, ...rest } = listed(await stores.orders.scan({ ...page, signal }));
      return { list: list.filter((each) => (status ?? each.status) === each.status), ...rest };
    },

    async ledger() {
      const all = () => everyPage(async (page) => listed(await stores.orders.scan(page)));
      const before = await tallyByItem(all());
      const levels = await Array.fromAsync(everyPage((page) => clients.stock.list(page)));
      const pages = everyPage(async (page) => listed(await stores.sales.scan(page)));
      const sales = await Array.fromAsync(pages);
      return drawLedger({ before, levels, sales, after: await tallyByItem(all()) });
    },
  },

  subscriptions: {
    // The stock decides once for each order, so asking it again is harmless.
    placed: ({ orderId, item, count }, call) =>
      clients.stock.reserve({ orderId, item, count }, call),

    async reserved(event) {
      await once(event, async ({ stores: tx }) => {
        const { item, count, priceCents } = await tx.orders.update(event.orderId, (order) => ({
          ...existing(order, event.orderId),
          status: "confirmed",
        }));
        await tx.sales.update(item, (sold) => ({
          item,
          count: (sold?.count ?? 0) + count,
          cents: (sold?.cents ?? 0) + count * priceCents,
        }));
      });
    },

    async refused(event) {
      await once(event, ({ stores: tx }) =>
        tx.orders.update(event.orderId, (order) => ({
          ...existing(order, event.orderId),
          status: "rejected",
          reason: event.reason,
        })),
      );
    },
  },
}));

function existing(order: Order | undefined, id: string): Order {
  if (order !== undefined) return order;
  throw orders.errors.ORDERS_ORDER_UNKNOWN(`There is no order "${id}".`);
}

/** Who orders knows this contract's errors only. */
function asOurs(error: unknown): never {
  if (!isBanyanError(error, "CATALOGUE_ITEM_UNKNOWN")) throw error;
  throw orders.errors.ORDERS_ITEM_UNKNOWN(error.message);
}
