/** The stock's code. Each change is one transaction: its record, the level and the event. */

import { defineService } from "@banyan/kernel";
import { stock } from "./stock.contract.ts";
import { listed, requestId } from "./wording.ts";

const nothingOf = (item: string) => ({ item, received: 0, onHand: 0 });

export default defineService(stock, ({ stores, transaction, ids }) => ({
  operations: {
    receive({ item, count }, call) {
      const delivery = requestId(call, ids);
      return transaction(async ({ stores: { deliveries, levels } }) => {
        const level = (await levels.get(item)) ?? nothingOf(item);
        // Seen before: only the answer was lost.
        if (await deliveries.has(delivery)) return level;
        const { received, onHand } = level;
        const raised = { item, received: received + count, onHand: onHand + count };
        deliveries.set(delivery, { item, count });
        levels.set(item, raised);
        return raised;
      }, call);
    },

    reserve({ orderId, item, count }, call) {
      return transaction(async ({ stores: { decisions, levels }, publish }) => {
        // Decided before, and the event went out with the decision.
        if (await decisions.has(orderId)) return;
        const level = (await levels.get(item)) ?? nothingOf(item);
        const isReserved = level.onHand >= count;
        decisions.set(orderId, { item, count, isReserved });
        if (isReserved) {
          levels.set(item, { ...level, onHand: level.onHand - count });
          publish("reserved", { orderId, item, count });
        } else {
          const reason = `${level.onHand} of ${item} in stock, ${count} ordered`;
          publish("refused", { orderId, item, count, reason });
        }
      }, call);
    },

    level: async ({ item }, call) => (await stores.levels.get(item, call)) ?? nothingOf(item),

    list: async (page, { signal }) => listed(await stores.levels.scan({ ...page, signal })),
  },
}));
