/** What an operator may ask of the stores of a node: the node contract's group `state`. */

import { t } from "@banyan/kernel";

const storeName = t.String({
  minLength: 1,
  maxLength: 256,
  description: "Service and store: greeter.visits.",
});
const key = t.String({ minLength: 1, maxLength: 512 });
const etag = t.String({ minLength: 1, description: "Opaque mark of one write." });

const entry = t.Object({
  key: t.String(),
  value: t.Unknown(),
  etag: t.String(),
  revision: t.Optional(t.Integer({ description: "Where the store keeps revisions." })),
  createdAt: t.Optional(t.String({ format: "date-time" })),
  updatedAt: t.Optional(t.String({ format: "date-time" })),
});

const storeRow = t.Object({
  store: t.String(),
  service: t.String(),
  name: t.String(),
  summary: t.Optional(t.String()),
  durability: t.Enum(["durable", "ephemeral"]),
  engine: t.String({ description: "The engine that keeps it." }),
  capabilities: t.Array(t.String(), { description: "What the store asked for." }),
  version: t.Integer({ description: "Of the value's schema." }),
  writable: t.Boolean({ description: "False for what the node keeps for itself." }),
  value: t.Unknown({ description: "JSON Schema of a value." }),
});

export const stateOperations = {
  stores: {
    summary: "List the stores of this node, with their engines.",
    idempotent: true,
    response: t.Object({ stores: t.Array(storeRow) }),
  },
  get: {
    summary: "Read one entry of a store.",
    idempotent: true,
    request: t.Object({ store: storeName, key }),
    response: entry,
  },
  set: {
    summary: "Write one entry of a store; the value is checked by the store's schema.",
    request: t.Object({
      store: storeName,
      key,
      value: t.Unknown(),
      ifMatch: t.Optional(etag),
      ifAbsent: t.Optional(t.Boolean({ description: "Write only if the key is not there." })),
      ttlMs: t.Optional(
        t.Integer({ minimum: 1, description: "Milliseconds until the entry is gone." }),
      ),
    }),
    response: t.Object({ etag: t.String() }),
  },
  delete: {
    summary: "Delete entries of a store; answers how many were there.",
    request: t.Object({
      store: storeName,
      keys: t.Array(key, { minItems: 1, maxItems: 1000 }),
      ifMatch: t.Optional(
        t.String({ minLength: 1, description: "For a single key: only if this is its etag." }),
      ),
    }),
    response: t.Object({ deleted: t.Integer() }),
  },
  list: {
    summary: "List a page of a store's entries, in the byte order of their keys.",
    idempotent: true,
    request: t.Object({
      store: storeName,
      prefix: t.Optional(t.String({ maxLength: 512 })),
      after: t.Optional(t.String({ description: "The next of the page before." })),
      limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000, description: "Default 100." })),
    }),
    response: t.Object({
      entries: t.Array(entry),
      next: t.Optional(t.String({ description: "Left out on the last page." })),
    }),
  },
} as const;
