/** Two updates and an event in one transaction: the service of the case about transactions. */

import { defineContract, defineService, on, t } from "@banyan/kernel";

export const bank = defineContract("bank", {
  summary: "Moves amounts between accounts.",
  version: "1.0.0",
  stores: {
    accounts: {
      durability: "durable",
      capabilities: ["transaction", "outbox"],
      value: t.Object({ amount: t.Integer() }),
    },
  },
  events: {
    moved: {
      durability: "durable",
      payload: t.Object({ from: t.String(), to: t.String(), amount: t.Integer() }),
    },
  },
  operations: {
    move: {
      summary: "Move an amount.",
      request: t.Object({ from: t.String(), to: t.String(), amount: t.Integer() }),
      response: t.Object({}),
    },
  },
});

const ledger = defineContract("ledger", {
  summary: "Hears every move.",
  version: "1.0.0",
  subscriptions: { moves: on(bank, "moved", { concurrency: 64 }) },
});

export const bankService = defineService(bank, ({ transaction }) => ({
  operations: {
    move: async ({ from, to, amount }, call) => {
      await transaction(async ({ stores: { accounts }, publish }) => {
        await accounts.update(from, (old) => ({ amount: (old?.amount ?? 0) - amount }));
        await accounts.update(to, (old) => ({ amount: (old?.amount ?? 0) + amount }));
        publish("moved", { from, to, amount });
      }, call);
      return {};
    },
  },
}));

/** Calls back for each move that was handled. */
export function ledgerService(heard: () => void): ReturnType<typeof defineService> {
  return defineService(ledger, () => ({ subscriptions: { moves: heard } }));
}
