/** A bound for whatever the server is asked: it may be silent. */

import type { Clock } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";

/** @throws MESSAGING_UNAVAILABLE when it takes longer; what comes then is nobody's */
export async function inTime<T>(clock: Clock, promise: Promise<T>, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.setTimer(
    limitMs,
    () => late.reject(messagingErrors.MESSAGING_UNAVAILABLE("RabbitMQ answers too slowly.")),
    { keepAlive: true },
  );
  promise.catch(() => undefined); // it may fail after the time is over
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    cancel();
  }
}
