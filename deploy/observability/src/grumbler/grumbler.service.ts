/** Fails on purpose: its calls end in faults, its events become dead letters. */

import { defineContract, defineService, on, t } from "@banyan/kernel";

const about = { summary: "Fails on purpose.", version: "1.0.0" };
const events = { grumbled: t.Object({ number: t.Integer() }) };
/** Apart from the contract, because it subscribes to its own event. */
const own = defineContract("grumbler", { ...about, events });

const grumbler = defineContract("grumbler", {
  ...about,
  events,
  subscriptions: { grumbled: on(own, "grumbled", { retriesMax: 1 }) },
  operations: {
    grumble: {
      summary: "Publish so many events that nobody can handle.",
      access: "anonymous",
      request: t.Object({ count: t.Integer({ minimum: 1, maximum: 1000 }) }),
    },
    fail: { summary: "Break.", access: "anonymous" },
  },
});

export default defineService(grumbler, ({ publish }) => ({
  operations: {
    async grumble({ count }) {
      for (let number = 0; number < count; number += 1) await publish("grumbled", { number });
    },
    fail() {
      throw new Error("It broke, as it was meant to.");
    },
  },
  subscriptions: {
    grumbled() {
      throw new Error("Nobody can handle this.");
    },
  },
}));
