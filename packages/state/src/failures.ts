/** Turns what others throw into errors that may leave a store. */

import { isBanyanError } from "@banyan/kernel";
import type { BanyanError, Waiting } from "@banyan/kernel";
import { abortReasonOf, kernelErrors } from "@banyan/kernel/internal";
import { stateErrors } from "./errors.ts";
import { showKey } from "./keys.ts";

/** Whether the caller's time is over; otherwise it cancelled. */
export function isOutOfTime(reason: unknown): boolean {
  if (isBanyanError(reason)) return reason.code === "CALL_DEADLINE_EXCEEDED";
  return reason instanceof Error && reason.name === "TimeoutError";
}

/** What an aborted signal means. Its reason passes when it is an error of ours. */
export function abortError(reason: unknown): BanyanError {
  if (isBanyanError(reason)) return reason;
  if (isOutOfTime(reason)) {
    return kernelErrors.CALL_DEADLINE_EXCEEDED(
      "The time given to the store was over before the engine was asked; nothing was written.",
      { cause: reason },
    );
  }
  return kernelErrors.CALL_CANCELLED(
    "The caller cancelled before the engine was asked; nothing was written.",
    { cause: reason },
  );
}

/** @throws what `abortError` makes of the reason, once the caller wants no more. */
export function assertNotAborted(waiting: Waiting): void {
  const reason = abortReasonOf(waiting);
  if (reason !== undefined) throw abortError(reason);
}

/**
 * Resolves when the work is over, however it ended.
 *
 * @throws what `abortError` makes of the reason, once the caller wants no more
 */
export async function settledOrAborted(work: Promise<unknown>, waiting: Waiting): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { signal } = waiting;
  const abort = (): void => reject(abortError(signal?.reason));
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort, { once: true });
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise.finally(() => signal?.removeEventListener("abort", abort));
}

/**
 * What an engine threw. The law's own words pass; anything else is a failed engine. Its reason may
 * name files and hosts, which are no caller's business: it is the cause, for the log alone.
 */
export function engineFailure(error: unknown, engine: string, store: string): BanyanError {
  if (isBanyanError(error) && /^(?:STATE_|CALL_|CLOSED$)/.test(error.code)) return error;
  return stateErrors.STATE_ENGINE_UNAVAILABLE(
    `The engine ${engine} failed while it served store ${store}; the node's log has the reason.`,
    { details: { engine, store }, cause: error },
  );
}

/** A condition that does not hold: nothing was written. */
export function conflictError(store: string, key: string, ifAbsent: boolean): BanyanError {
  const why = ifAbsent ? "is there already" : "has another etag than ifMatch, or is not there";
  return stateErrors.STATE_VERSION_CONFLICT(
    `Key ${showKey(key)} of store ${store} ${why}; read it again and decide anew.`,
    { details: { store, key } },
  );
}

/** The end of somebody who lost to other writers too often. */
export function contendedError(store: string, key: string, why: string): BanyanError {
  return stateErrors.STATE_UPDATE_CONTENDED(
    `Key ${showKey(key)} of store ${store} could not be updated: ${why}. Try again later.`,
    { details: { store, key }, retryAfterMs: 100 },
  );
}

/** The answer of everything after `close` (E10). */
export function closedError(engine: string): BanyanError {
  return kernelErrors.CLOSED(`The ${engine} engine is closed; open a new one.`);
}
