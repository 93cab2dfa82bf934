/** Two services: one answers what it is asked; the other calls it, reads a store and publishes. */

import { defineContract, defineService, t } from "@banyan/kernel";
import { echo } from "../trunk/echo.contract.ts";

export const desk = defineContract("desk", {
  summary: "Does a little of everything.",
  version: "1.0.0",
  optional: { echo },
  stores: { notes: { durability: "ephemeral", value: t.Object({ n: t.Integer() }) } },
  events: { seen: { durability: "ephemeral", payload: t.Object({ n: t.Integer() }) } },
  operations: {
    work: { summary: "Work.", access: "anonymous", response: t.Object({ n: t.Integer() }) },
  },
});

export const deskService = defineService(desk, ({ stores, clients, publish }) => ({
  operations: {
    async work() {
      const { count } = await (clients.echo ?? missing()).say(sent);
      const note = await stores.notes.get("a");
      await publish("seen", { n: count });
      return { n: count + (note?.n ?? 0) };
    },
  },
}));

const sent = { id: "1", name: "Ada Lovelace", count: 3, active: true, note: "" };

function missing(): never {
  throw new Error("The node does not run echo.");
}
