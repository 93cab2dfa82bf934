/** What an operator may ask of the fleet, at any of its nodes: the node contract's group `mesh`. */

import { t } from "@banyan/kernel";

const endpointRow = t.Object({
  instance: t.String({ description: "Of this run of the node." }),
  node: t.String({ description: "The node's id, which it may keep over its runs." }),
  app: t.String(),
  host: t.String(),
  port: t.Integer(),
  status: t.String({ description: "up, degraded or draining." }),
  issues: t.Optional(t.Array(t.String(), { description: "Why it is degraded." })),
  load: t.Optional(t.Number({ description: "0 to 1, at its last heartbeat that was read." })),
  startedAt: t.Optional(t.String({ format: "date-time", description: "By its own clock." })),
  isSelf: t.Boolean({ description: "The node that answers." }),
  services: t.Array(t.Object({ name: t.String(), version: t.String() })),
});

const placed = t.Object({
  epoch: t.String({ description: "Of the count of versions; empty: as configuration placed." }),
  version: t.Integer(),
  apps: t.Record(t.String(), t.String(), {
    description: "App by service. A service that is not named belongs to the app banyan.",
  }),
});

export const meshOperations = {
  endpoints: {
    summary: "List the nodes of the fleet, as this one knows them.",
    idempotent: true,
    request: t.Object({
      service: t.Optional(t.String({ minLength: 1, description: "Only those that run it." })),
      app: t.Optional(t.String({ minLength: 1 })),
    }),
    response: t.Object({
      fleet: t.Boolean({ description: "False: this node is alone." }),
      cluster: t.String(),
      endpoints: t.Array(endpointRow),
    }),
  },
  mappings: {
    summary: "Show which app runs which service.",
    idempotent: true,
    response: placed,
  },
  place: {
    summary: "Say which app runs which service; replaces all of it.",
    request: t.Object({
      apps: t.Record(
        t.String(),
        t.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9._-]+$" }),
      ),
      epoch: t.Optional(
        t.String({
          maxLength: 64,
          description: "A greater one begins a new count of versions. Left out: the present one.",
        }),
      ),
      version: t.Optional(
        t.Integer({ minimum: 1, description: "Left out: the next. An older one changes nothing." }),
      ),
    }),
    response: placed,
  },
  drain: {
    summary:
      "Have a node take no more calls of others, finish those it has, and leave the fleet until its next start.",
    idempotent: true,
    request: t.Object({
      node: t.Optional(
        t.String({ minLength: 1, description: "Its id, or that of its run. Left out: this one." }),
      ),
    }),
    response: t.Object({
      node: t.String(),
      instance: t.String(),
      running: t.Optional(
        t.Integer({ description: "Calls that it finishes. Left out: it drains already." }),
      ),
    }),
  },
} as const;
