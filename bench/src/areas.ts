/** The areas by name; what an area measures is loaded when it is asked for. */

import type { Area } from "./area.ts";

export const areas: Readonly<Record<string, () => Promise<Area>>> = {
  trunk: async () => (await import("./trunk/trunk.ts")).trunk,
  embedded: async () => (await import("./embedded/embedded.ts")).embedded,
  telemetry: async () => (await import("./telemetry/telemetry.ts")).telemetry,
  sql: async () => (await import("./state/sql-state.ts")).sqlState,
  messaging: async () => (await import("./messaging/messaging.ts")).messaging,
  mesh: async () => (await import("./mesh/mesh.ts")).mesh,
  state: async () => (await import("./state/state.ts")).state,
};
