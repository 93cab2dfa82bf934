/**
 * What crosses to the writer thread: writes as flat, plain data. Each is executed by the function
 * of its name in `state-ops.ts`, `outbox-ops.ts` or `bus-ops.ts`, which run in that thread and
 * import no platform code: the thread must start in milliseconds.
 */

import type { BusOp } from "./bus-ops.ts";
import type { OutboxOp } from "./outbox-ops.ts";
import type { StateOp } from "./state-ops.ts";

/** The first item is the name of the function, the others are its arguments. */
export type WriteOp = StateOp | OutboxOp | BusOp;
