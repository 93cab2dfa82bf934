/** What a node counts of its fleet. */

import type { Fleet, FleetNews } from "@banyan/mesh";
import type { Metrics } from "@banyan/telemetry";

/** Who is there, as this node sees it, and how busy this node is. A node alone has none of it. */
export function registerMeshMetrics(
  metrics: Metrics,
  fleet: Pick<Fleet, "instances" | "load" | "connections">,
): void {
  metrics.observe(
    "banyan_mesh_instances",
    {
      type: "gauge",
      help: "Instances that this node knows of, itself included, by how they are.",
      labels: ["app", "status"],
    },
    () => {
      const all = fleet.instances();
      return [...new Set(all.map(({ app }) => app))].flatMap((app) =>
        (["up", "degraded", "draining"] as const).map((status) => ({
          labels: { app, status },
          value: all.filter((each) => each.app === app && each.status === status).length,
        })),
      );
    },
  );
  metrics.observe(
    "banyan_mesh_load_ratio",
    {
      type: "gauge",
      help: "How busy this node is, by what of it, as it tells the others: 1 is all it has.",
      labels: ["part"],
    },
    () => {
      const { load } = fleet;
      if (load === undefined) return [];
      return [
        { labels: { part: "event_loop" }, value: load.eventLoop },
        { labels: { part: "lag" }, value: load.lag },
        { labels: { part: "cpu" }, value: load.cpu },
        { labels: { part: "memory" }, value: load.memory },
        { labels: { part: "calls" }, value: load.calls },
      ];
    },
  );
  metrics.observe(
    "banyan_mesh_connections",
    { type: "gauge", help: "Connections to other nodes, by whichever side they were opened." },
    () => fleet.connections,
  );
}

/** Counts who leaves, at every node that hears of it: the event is told by one that may be gone. */
export function countLeft(metrics: Metrics): (news: FleetNews) => void {
  const left = metrics.counter("banyan_mesh_left_total", {
    help: "Instances of other nodes that left: in order, with their lease over, unreachable, or taken out of the list.",
    labels: ["reason"],
  });
  // There from the start, so that the first one is seen as growth.
  const reasons = ["graceful", "expired", "unreachable", "removed"] as const;
  const series = new Map(reasons.map((reason) => [reason, left.with({ reason })]));
  for (const each of series.values()) each.add(0);
  return ({ kind, reason = "expired" }) => {
    if (kind === "left") series.get(reason)?.add();
  };
}
