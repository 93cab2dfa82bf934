/** A call that another node runs: on this side it has a deadline, a trace and an end of its own. */

import type { BanyanError } from "@banyan/kernel";
import { CallContext, kernelErrors, toBanyanError } from "@banyan/kernel/internal";
import type { CallInit, CallRuntime, CallTarget } from "@banyan/kernel/internal";
import type { WireLink } from "./wire-link.ts";

/** Calls a unary operation over a connection. @throws CALL_OPTIONS_INVALID, by rejection */
export function invokeOver(
  link: WireLink,
  target: CallTarget,
  { text, init, runtime, onEnd }: RemoteCallInit & { readonly onEnd: OnRemoteEnd },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let number = 0;
    const call = contextOf(target, { init, runtime, onEnd });
    const live = call.open((error, value) => {
      onEnd(error);
      if (error === undefined) resolve(value);
      else {
        // Not answered yet, so the other side is told.
        if (number !== 0) link.giveUp(number, false);
        reject(error);
      }
      runtime.observe(call, error);
    });
    if (!live) return;
    try {
      const outgoing = { operation: target.name, call, text, credit: undefined };
      number = link.send(outgoing, {
        answered: (value) => {
          number = 0;
          call.end(undefined, value);
        },
        failed: (error) => {
          number = 0;
          call.end(error, undefined);
        },
      });
    } catch (error) {
      call.end(toBanyanError(error), undefined);
    }
  });
}

/** @throws CALL_OPTIONS_INVALID, which is an end as well */
function contextOf(
  target: CallTarget,
  { init, runtime, onEnd }: Pick<RemoteCallInit, "init" | "runtime"> & { onEnd: OnRemoteEnd },
): CallContext {
  try {
    return new CallContext(target, runtime, init);
  } catch (error) {
    onEnd(toBanyanError(error));
    throw error;
  }
}

/** Told once, when the call has ended. */
export type OnRemoteEnd = (error: BanyanError | undefined) => void;

export interface RemoteCallInit {
  /** The request as JSON; `undefined`: it has none. */
  readonly text: string | undefined;
  readonly init: CallInit;
  readonly runtime: CallRuntime;
}

/** A request as it is sent. @throws REQUEST_INVALID for what is no JSON */
export function jsonOf(request: unknown, operation: string): string | undefined {
  if (request === undefined) return undefined;
  try {
    // `undefined` for a function or a symbol, which are no requests.
    const text: string | undefined = JSON.stringify(request);
    if (text !== undefined) return text;
  } catch (cause) {
    throw notJson(operation, cause);
  }
  throw notJson(operation, undefined);
}

function notJson(operation: string, cause: unknown): BanyanError {
  return kernelErrors.REQUEST_INVALID(`The request of ${operation} is no JSON.`, {
    cause,
    details: { issues: [{ pointer: "", expected: "JSON" }] },
  });
}
