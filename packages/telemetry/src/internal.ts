/** The sister packages' door: what the host wires into a node. */

export { createCallObserver } from "./call-observer.ts";
export type { CallObserverOptions } from "./call-observer.ts";
export { registerProcessMetrics } from "./process-metrics.ts";
export type { ProcessMetricsOptions } from "./process-metrics.ts";
export { secretMark, toLoggable } from "./loggable.ts";
export type { Loggable } from "./loggable.ts";
export { createPublishObserver, createStoreObserver, storeBuckets } from "./observers.ts";
export type { Instruments, StorePlace } from "./observers.ts";
export { createFailureObserver } from "./operation-observer.ts";
export type { OperationObserver, OperationWatch } from "./operation-observer.ts";
export { Tracer } from "./tracer.ts";
export type { TracerCounts, TracerOptions } from "./tracer.ts";
export { TraceStore } from "./trace-store.ts";
export type { TraceQuery, TraceStoreOptions, TraceSummary } from "./trace-store.ts";
