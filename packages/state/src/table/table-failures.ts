/** What a caller is told about a database. Reasons name hosts, so they are causes, for the log. */

import type { BanyanError } from "@banyan/kernel";
import { stateErrors } from "../errors.ts";

/** Nothing was written, and that is known. */
export function unavailableError(engine: string, why: string, cause?: unknown): BanyanError {
  return stateErrors.STATE_ENGINE_UNAVAILABLE(
    `The engine ${engine} ${why}; nothing was written. The node's log has the reason.`,
    { details: { engine }, cause },
  );
}

/** It was sent, and its answer was lost. */
export function unknownError(engine: string, cause?: unknown): BanyanError {
  return stateErrors.STATE_OUTCOME_UNKNOWN(
    `The engine ${engine} was asked to write and did not answer; whether it was done is not known. ` +
      `Read before you repeat it.`,
    { details: { engine }, cause },
  );
}

/** Nobody waited long enough for a turn. */
export function overdueError(engine: string, timeoutMs: number): BanyanError {
  return unavailableError(engine, `did not get to it within ${timeoutMs} ms`);
}

/** Too many wait. */
export function fullError(engine: string, max: number): BanyanError {
  return stateErrors.STATE_ENGINE_UNAVAILABLE(
    `${max} writes wait for the engine ${engine}, and no more may (writesWaitingMax); nothing was ` +
      `written. It is slower than its callers: try later.`,
    { details: { engine, writesWaitingMax: max } },
  );
}
