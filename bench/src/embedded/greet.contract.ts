/**
 * The greeter of the cases over HTTP: a durable update and a durable event per request, and a
 * service that handles the event, because an event that nobody wants need not be kept.
 */

import { defineContract, defineService, on, t } from "@banyan/kernel";
import { keyAt, uniformIndexes } from "./records.ts";

const greeter = defineContract("greeter", {
  summary: "Greets people and remembers how often.",
  version: "1.0.0",
  stores: { visits: { durability: "durable", value: t.Object({ count: t.Integer() }) } },
  events: {
    greeted: {
      durability: "durable",
      payload: t.Object({ name: t.String(), count: t.Integer() }),
    },
  },
  operations: {
    greet: {
      summary: "Greet one person by name.",
      access: "anonymous",
      request: t.Object({ name: t.String({ minLength: 1, maxLength: 64 }) }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
  },
});

const audience = defineContract("audience", {
  summary: "Hears every greeting.",
  version: "1.0.0",
  subscriptions: { greetings: on(greeter, "greeted", { concurrency: 64 }) },
});

export const greeterService = defineService(greeter, ({ stores, publish }) => ({
  operations: {
    async greet({ name }, call) {
      const { count } = await stores.visits.update(
        name,
        (visit) => ({ count: (visit?.count ?? 0) + 1 }),
        call,
      );
      await publish("greeted", { name, count });
      return { text: `Hello, ${name}!`, count };
    },
  },
}));

/** Calls back for each greeting that was handled. */
export function audienceService(heard: () => void): ReturnType<typeof defineService> {
  return defineService(audience, () => ({ subscriptions: { greetings: heard } }));
}

/** The same schemas for those who take plain JSON Schema. */
export const greetSchemas = {
  body: {
    type: "object",
    required: ["name"],
    additionalProperties: false,
    properties: { name: { type: "string", minLength: 1, maxLength: 64 } },
  },
  response: {
    200: {
      type: "object",
      required: ["text", "count"],
      additionalProperties: false,
      properties: { text: { type: "string" }, count: { type: "integer" } },
    },
  },
} as const;

/** Different names in the load. */
const NAMES = 5000;

/** Bodies of requests, names chosen uniformly; sent in turn. */
export function greetBodies(): { readonly name: string }[] {
  const next = uniformIndexes(NAMES);
  return Array.from({ length: 4 * NAMES }, () => ({ name: keyAt(next()) }));
}
