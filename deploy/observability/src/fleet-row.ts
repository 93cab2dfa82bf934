/** The fleet: who is there, how busy each node says that it is, and what it is connected to. */

import type { Row } from "./dashboard-spec.ts";
import { node } from "./selectors.ts";

export const fleet: Row = {
  title: "Fleet",
  panels: [
    {
      kind: "time",
      title: "Instances",
      about: "Of each app, as the node sees it that sees most. Degraded ones are called last.",
      width: 8,
      unit: "none",
      queries: [
        {
          expr: `max by (app, status) (banyan_mesh_instances{${node}})`,
          legend: "{{app}} {{status}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Load, as the others are told",
      about: "The greatest part counts: from mesh.loadMax on (0.8) the node is called last.",
      width: 8,
      unit: "percentunit",
      limit: 0.8,
      queries: [{ expr: `banyan_mesh_load_ratio{${node}}`, legend: "{{instance}} {{part}}" }],
    },
    {
      kind: "time",
      title: "Connections to other nodes",
      about: "One for each node that it calls or is called by; for a moment there may be two.",
      width: 8,
      unit: "none",
      queries: [{ expr: `banyan_mesh_connections{${node}}`, legend: "{{instance}}" }],
    },
  ],
};
