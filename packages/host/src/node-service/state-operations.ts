/** What an operator may ask of the stores of a node: the node contract's group `state`. */

import { t } from "@banyan/kernel";

const storeName = t.String({
  minLength: 1,
  maxLength: 256,
  description: "Service and store: greeter.visits; in a scope: notes/org-42.settings.",
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
  scoped: t.Boolean({ description: "There is one in each scope of the service." }),
  entries: t.Optional(t.Integer({ description: "Where they were asked to be counted." })),
  value: t.Unknown({ description: "JSON Schema of a value." }),
});

const scopeRow = t.Object({
  name: t.String(),
  owner: t.String(),
  summary: t.Optional(t.String()),
  createdAt: t.String({ format: "date-time" }),
  going: t.Boolean({ description: "It is being deleted, or a deletion was cut off." }),
  entries: t.Integer({ description: "In all of its stores." }),
  stores: t.Record(t.String(), t.Integer(), { description: "Entries of each store." }),
});

export const stateOperations = {
  stores: {
    summary: "List the stores of this node, with their engines.",
    idempotent: true,
    request: t.Object({
      count: t.Optional(t.Boolean({ description: "Count their entries; may take a while." })),
    }),
    response: t.Object({ stores: t.Array(storeRow) }),
  },
  scopes: {
    summary: "List the scopes of a service, and count what is in them.",
    idempotent: true,
    request: t.Object({
      service: t.String({ minLength: 1, maxLength: 128 }),
      owner: t.Optional(t.String({ description: "Only those of this owner." })),
      after: t.Optional(t.String({ description: "The next of the page before." })),
      limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000, description: "Default 100." })),
    }),
    response: t.Object({
      scopes: t.Array(scopeRow),
      next: t.Optional(t.String({ description: "Left out on the last page." })),
    }),
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
