/** What a node tells of its fleet: the node contract's events of endpoints. */

import { t } from "@banyan/kernel";

/** An endpoint is one run of a node. */
const endpoint = {
  instance: t.String({ description: "Of this run of the node." }),
  node: t.String({ description: "The node's id, which it may keep over its runs." }),
  app: t.String(),
  host: t.String(),
  port: t.Integer(),
  toldBy: t.String({ description: "Id of the node that tells it for the fleet." }),
};

export const meshEvents = {
  endpointJoined: {
    summary: "A node has joined the fleet, or can be reached again; told by one node for all.",
    durability: "ephemeral",
    payload: t.Object({ ...endpoint, services: t.Array(t.String()) }),
  },
  endpointLeft: {
    summary: "A node has left the fleet; told by one node for all.",
    durability: "ephemeral",
    payload: t.Object({
      ...endpoint,
      reason: t.Enum(["graceful", "expired", "unreachable", "removed"], {
        description:
          "graceful: it said so. expired: its lease ran out. unreachable: its connection ended and cannot be opened again. removed: its address was taken out of the file or the DNS name.",
      }),
    }),
  },
  endpointDegraded: {
    summary: "A node is called only where no other is left; told by one node for all.",
    durability: "ephemeral",
    payload: t.Object({
      ...endpoint,
      issues: t.Array(t.String(), { description: "Why, in words." }),
      load: t.Optional(t.Number({ description: "0 to 1; left out: not known." })),
    }),
  },
  endpointRecovered: {
    summary: "A node that was degraded is well again; told by one node for all.",
    durability: "ephemeral",
    payload: t.Object(endpoint),
  },
} as const;
