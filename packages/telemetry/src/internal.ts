/** The sister packages' door: what the host wires into a node. */

export { createCallObserver } from "./call-observer.ts";
export type { CallObserverOptions } from "./call-observer.ts";
export { registerProcessMetrics } from "./process-metrics.ts";
export type { ProcessMetricsOptions } from "./process-metrics.ts";
export { secretMark, toLoggable } from "./loggable.ts";
export type { Loggable } from "./loggable.ts";
