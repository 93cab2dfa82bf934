/** What the greeter offers. Types, routes, documentation and wiring all come from this value. */

import { defineContract, t } from "@banyan/kernel";

export const greeter = defineContract("greeter", {
  summary: "Greets people and remembers how often.",
  version: "1.0.0",
  config: t.Object({
    salutation: t.String({ default: "Hello", description: "First word of every greeting." }),
  }),
  stores: { visits: { durability: "durable", value: t.Object({ count: t.Integer() }) } },
  events: { greeted: t.Object({ name: t.String(), count: t.Integer() }) },
  operations: {
    greet: {
      summary: "Greet one person by name.",
      access: "anonymous",
      request: t.Object({ name: t.String({ minLength: 1, maxLength: 64 }) }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
  },
});
