/** The service called in the cases about calls: it answers what it is asked, about 120 bytes. */

import { defineContract, defineService, t } from "@banyan/kernel";

const payload = t.Object({
  id: t.String({ minLength: 1, maxLength: 64 }),
  name: t.String({ minLength: 1, maxLength: 64 }),
  count: t.Integer({ minimum: 0 }),
  active: t.Boolean(),
  note: t.String({ maxLength: 256 }),
});

export const echo = defineContract("echo", {
  summary: "Answers what it is asked.",
  version: "1.0.0",
  operations: {
    say: {
      summary: "Say it again.",
      access: "anonymous",
      request: payload,
      response: payload,
    },
  },
});

export const echoService = defineService(echo, () => ({
  operations: { say: (request) => request },
}));

/** The same schema for those who take plain JSON Schema. */
export const payloadSchema = {
  type: "object",
  required: ["id", "name", "count", "active", "note"],
  additionalProperties: false,
  properties: {
    id: { type: "string", minLength: 1, maxLength: 64 },
    name: { type: "string", minLength: 1, maxLength: 64 },
    count: { type: "integer", minimum: 0 },
    active: { type: "boolean" },
    note: { type: "string", maxLength: 256 },
  },
} as const;

/** What is sent in every case about calls. */
export const payloadSent = Object.freeze({
  id: "0197a0b0-0000-7000-8000-000000000001",
  name: "Ada Lovelace",
  count: 3,
  active: true,
  note: "wrote the first program",
});
