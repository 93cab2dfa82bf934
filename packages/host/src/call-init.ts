/** How a call that a service makes inside its node begins. */

import type { CallContext, CallInit } from "@banyan/kernel/internal";

/** On behalf of the current call, or of the service itself where there is none. */
export function initFrom(caller: string, parent: CallContext | undefined): CallInit {
  return {
    mode: "tolerant",
    principal: parent?.principal ?? { kind: "service", id: caller },
    caller,
    parent,
    timeoutMs: undefined,
    signal: undefined,
    trace: undefined,
    idempotencyKey: undefined,
    shape: undefined,
  };
}
