/** The service that is called in the cases about the mesh: it answers what it is asked. */

import { defineContract, t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";

const entrySchema = t.Object({
  id: t.String({ minLength: 1, maxLength: 64 }),
  name: t.String({ minLength: 1, maxLength: 64 }),
  count: t.Integer({ minimum: 0 }),
  active: t.Boolean(),
  note: t.String({ maxLength: 256 }),
});
const pageSchema = t.Object({ entries: t.Array(entrySchema, { maxItems: 100 }) });

export type Entry = Static<typeof entrySchema>;
export type Page = Static<typeof pageSchema>;

export const ledger = defineContract("ledger", {
  summary: "Answers what it is asked.",
  version: "1.0.0",
  operations: {
    say: { summary: "Say an entry again.", request: entrySchema, response: entrySchema },
    list: { summary: "Say a page again.", request: pageSchema, response: pageSchema },
    follow: {
      summary: "Give so many entries.",
      request: t.Object({ frames: t.Integer({ minimum: 0 }) }),
      stream: entrySchema,
    },
  },
});

/** An entry: 120 bytes as JSON. */
export function entryAt(count: number): Entry {
  return {
    id: "0197a0b0-0000-7000-8000-000000000001",
    name: "Ada Lovelace",
    count,
    active: true,
    note: "wrote the first one",
  };
}

/** What is sent, by the size that is said of it: its operation, its body. */
export const bodies = {
  "120 B": { operation: "say", body: entryAt(3) },
  "1 KB": { operation: "list", body: pageOf(8) },
  "10 KB": { operation: "list", body: pageOf(84) },
} as const;

export type BodySize = keyof typeof bodies;

function pageOf(entries: number): Page {
  return { entries: Array.from({ length: entries }, (_, count) => entryAt(count)) };
}

/** The same schemas for those who take plain JSON Schema. */
const entryJsonSchema = {
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

export const jsonSchemas = {
  say: entryJsonSchema,
  list: {
    type: "object",
    required: ["entries"],
    additionalProperties: false,
    properties: { entries: { type: "array", maxItems: 100, items: entryJsonSchema } },
  },
} as const;
