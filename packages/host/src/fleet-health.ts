/**
 * What a node says of its health to the fleet: that of its services and engines, as `/readyz` has
 * it. It is asked for in each heartbeat and answers what it found last; a look takes as long as the
 * slowest part.
 */

import type { HealthReport } from "@banyan/mesh";
import { probeReadiness } from "./health.ts";
import type { Probed } from "./health.ts";

const well: HealthReport = Object.freeze({ status: "up", issues: [] });

/** @param lookMs between two looks, in milliseconds: engines are asked for an answer each time */
export function createFleetHealth(node: Probed, lookMs: number): () => HealthReport {
  let report = well;
  let isLooking = false;
  let lookedAtMs = -Infinity;
  const look = async (): Promise<void> => {
    isLooking = true;
    lookedAtMs = node.clock.monotonicMs();
    try {
      report = await reportOf(node);
    } finally {
      isLooking = false;
    }
  };
  return () => {
    // While it starts or stops, the fleet knows it by other ways.
    const isDue = node.clock.monotonicMs() - lookedAtMs >= lookMs;
    if (node.phase === "ready" && isDue && !isLooking) void look().catch(() => undefined);
    return report;
  };
}

async function reportOf(node: Probed): Promise<HealthReport> {
  const { services, engines } = await probeReadiness(node);
  // That the fleet lacks something is no reason to call somebody else.
  const parts = [...Object.entries(services), ...Object.entries(engines)].filter(
    ([name]) => name !== "mesh",
  );
  const issues = parts.flatMap(([name, { state, reason }]) =>
    state === "running" ? [] : [`${name} is ${state}${reason === undefined ? "" : `: ${reason}`}`],
  );
  return issues.length === 0 ? well : { status: "degraded", issues };
}
