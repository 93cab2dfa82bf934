/** What the parts of a node are watched with. */

import type { Instruments } from "@banyan/telemetry/internal";

/** What stores and publishes are watched with; `undefined` where nothing is. */
export function instrumentsOf(telemetry: Instruments): Instruments | undefined {
  const { metrics, tracer } = telemetry;
  return metrics === undefined && tracer === undefined ? undefined : telemetry;
}
