/** What the HTTP routes need of their node. */

import type { Clock, Log, Principal, TraceContext } from "@banyan/kernel";
import type { IncomingHttpHeaders } from "node:http";

export interface HttpDoor {
  readonly clock: Clock;
  /** For faults of the surface itself; the pipeline logs those of calls. */
  readonly log: Log;
  /** Who calls; no credential is anonymous. @throws CALL_UNAUTHENTICATED for a wrong one. */
  principalOf(authorization: string | undefined): Principal | Promise<Principal>;
  /**
   * @param operation full name of what is called: a drained node still answers its operator
   * @throws NODE_STARTING, NODE_DRAINING while no calls are taken.
   */
  assertOpen(operation: string): void;
  /** The caller's trace, where its headers carry a well-formed one. */
  traceOf(headers: IncomingHttpHeaders): TraceContext | undefined;
}
