/**
 * What a node tells of its fleet: who joins and leaves, is degraded and recovers.
 *
 * N1. All nodes hear of it and one tells it, so that a fleet of a thousand tells it once.
 * N2. The news of a node that leaves in order is its own: it is on the bus before that is drained.
 */

import type { FleetNews } from "@banyan/mesh";
import type { NewsPost } from "./news-post.ts";

export interface MeshNewsOptions {
  /** The node's id. */
  readonly node: string;
  readonly post: NewsPost;
}

/** Passes on what this node is to tell. */
export function createMeshNews({ node, post }: MeshNewsOptions): (news: FleetNews) => void {
  return ({ kind, record, reason = "expired", isTeller }) => {
    if (!isTeller) return;
    const { instance, app, host, port, services, issues, load } = record;
    const endpoint = { instance, node: record.node, app, host, port, toldBy: node };
    post.tell((publish) => {
      switch (kind) {
        case "joined":
          return publish("endpointJoined", { ...endpoint, services: Object.keys(services).sort() });
        case "left":
          return publish("endpointLeft", { ...endpoint, reason });
        case "degraded": {
          const known = load === undefined ? {} : { load: load.load };
          return publish("endpointDegraded", { ...endpoint, issues: [...issues], ...known });
        }
        case "recovered":
          return publish("endpointRecovered", endpoint);
      }
    });
  };
}
