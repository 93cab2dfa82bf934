/** From what a caller says, and from what it stands in, to how the call comes in. */

import type { Call, CallOptions, Principal } from "@banyan/kernel";
import type { CallInit } from "@banyan/kernel/internal";
import { CallContext, currentCallContext } from "@banyan/kernel/internal";

/** Who calls, and how its calls are treated. The same for every call of one client. */
export interface CallerIdentity {
  readonly name: string;
  /** On whose behalf it works when no call is current: its own. */
  readonly principal: Principal;
  readonly mode: CallInit["mode"];
}

/**
 * The init of one call. All its fields are always set, in one order: objects of one shape keep the
 * pipeline fast.
 */
export function callInitOf(
  options: Call | CallOptions | undefined,
  caller: CallerIdentity,
): CallInit {
  if (options === undefined) return belowOf(currentCallContext(), undefined, caller);
  if (isCall(options)) return belowOf(options, undefined, caller);
  return belowOf(options.call ?? currentCallContext(), options, caller);
}

function belowOf(
  parent: Call | undefined,
  options: CallOptions | undefined,
  caller: CallerIdentity,
): CallInit {
  if (parent !== undefined && !(parent instanceof CallContext)) {
    return belowForeign(parent, options, caller);
  }
  return {
    mode: caller.mode,
    principal: parent === undefined ? caller.principal : parent.principal,
    caller: caller.name,
    parent,
    timeoutMs: options?.timeoutMs,
    signal: options?.signal,
    trace: undefined,
    idempotencyKey: options?.idempotencyKey,
    shape: undefined,
  };
}

/** A call made by another copy of the kernel, or by a test: only its public face can be used. */
function belowForeign(
  parent: Call,
  options: CallOptions | undefined,
  caller: CallerIdentity,
): CallInit {
  const own = options?.signal;
  return {
    mode: caller.mode,
    principal: parent.principal,
    caller: caller.name,
    parent: undefined,
    timeoutMs: Math.min(options?.timeoutMs ?? Infinity, parent.remainingMs()),
    signal: own === undefined ? parent.signal : AbortSignal.any([own, parent.signal]),
    trace: parent.trace,
    idempotencyKey: options?.idempotencyKey,
    shape: undefined,
  };
}

/** Of the two only a call can say how long it has left. */
function isCall(options: Call | CallOptions): options is Call {
  return "remainingMs" in options && typeof options.remainingMs === "function";
}
