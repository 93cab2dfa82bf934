/** How long the event loop stood still while something was measured. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Figures } from "./subject.ts";

/** Adds the 99th percentile, in milliseconds, to the figures. */
export async function loopDelay(measure: () => Promise<Figures>): Promise<Figures> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const figures = await measure();
  delay.disable();
  return { ...figures, delayP99Ms: delay.percentile(99) / 1e6 };
}
