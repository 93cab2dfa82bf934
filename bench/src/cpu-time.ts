/** How much processor time a subject used: what a request costs, whoever else was busy. */

import type { Measure } from "./subject.ts";

/** Microseconds of this process since the last question. */
export function cpuSince(): Measure {
  let before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    return { cpuMicros: user + system };
  };
}
