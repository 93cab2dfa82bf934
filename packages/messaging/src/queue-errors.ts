/** What a queue refuses, or gives a message up with. */

import { messagingErrors } from "./errors.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";

/** @param isOrdered what the members agree on */
export function orderConflict(name: string, isOrdered: boolean): Error {
  return messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
    `Group "${name}" has members that are ${isOrdered ? "" : "not "}ordered; all must agree, or ` +
      `there is no order. Close them first.`,
  );
}

export function leaseExpired({ name, leaseMs }: ResolvedSubscribeSpec): Error {
  return messagingErrors.MESSAGING_LEASE_EXPIRED(
    `A handler of "${name}" did not end within ${leaseMs} ms.`,
    { details: { subscription: name, leaseMs } },
  );
}

/** @param deaths deliveries that were never heard of again */
export function leaseLost(messageId: string, deaths: number): Error {
  return messagingErrors.MESSAGING_LEASE_LOST(
    `The process died ${deaths} times while it handled message ${messageId}.`,
  );
}
