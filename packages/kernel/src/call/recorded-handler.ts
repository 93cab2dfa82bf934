/**
 * A handler with its idempotency record around it.
 *
 * The record is kept by the handler's real end, not by the caller's patience: an answer that came
 * after the deadline is there for whoever asks again.
 *
 * I1. The handler runs only for a claim that is ours, and only while somebody waits.
 * I2. A claim whose handler failed is given back; one whose handler answered is never.
 */

import type { BanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import { principalKey } from "../ports/access.ts";
import type {
  IdempotencyClaim,
  IdempotencyLedger,
  IdempotencyOutcome,
} from "../ports/idempotency.ts";
import { requestDigest } from "../request-digest.ts";
import type { CallContext } from "./call.ts";

/** A handler with its types erased. */
export type Handler = (request: unknown, call: CallContext) => unknown;

export interface RecordedHandlerOptions {
  /** Full name of the operation. */
  readonly name: string;
  readonly handler: Handler;
  readonly ledger: IdempotencyLedger;
  /** Validates and copies what the handler answered. */
  readonly answerOf: (value: unknown) => unknown;
}

/** Answers a finished answer: validated, and shared with nobody. */
export function createRecordedHandler(options: RecordedHandlerOptions): Handler {
  const { name, handler, ledger, answerOf } = options;
  return async (input, call) => {
    const claim = claimOf(name, input, call);
    const outcome = await ledger.begin(claim);
    // A ledger in memory may hand out the very object it keeps.
    if (outcome.kind === "done") return structuredClone(outcome.response);
    if (outcome.kind !== "new") throw refusalOf(name, outcome);
    let answer: unknown;
    try {
      if (call.abortReason !== undefined) throw call.abortReason;
      answer = answerOf(await handler(input, call));
    } catch (error) {
      await ledger.abandon(claim, outcome.token).catch((failure: unknown) => {
        // The caller has to hear of the first error; the claim ends with its lease.
        call.log.error("idempotency claim could not be given back", { error: failure });
      });
      throw error;
    }
    await ledger.complete(claim, outcome.token, answer);
    return structuredClone(answer);
  };
}

/** @throws IDEMPOTENCY_KEY_INVALID */
export function assertIdempotencyKey(key: string): void {
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return;
  throw kernelErrors.IDEMPOTENCY_KEY_INVALID(
    "The idempotency key must be 1 to 255 visible ASCII characters.",
  );
}

function refusalOf(
  name: string,
  outcome: Extract<IdempotencyOutcome, { kind: "in-progress" | "other-request" }>,
): BanyanError {
  if (outcome.kind === "in-progress") {
    return kernelErrors.IDEMPOTENCY_IN_PROGRESS(
      `A call of ${name} with this idempotency key is still running; ask again later.`,
      { retryAfterMs: 1000 },
    );
  }
  return kernelErrors.IDEMPOTENCY_KEY_REUSED(
    `This idempotency key was used for ${name} with another request; use a new key.`,
  );
}

function claimOf(name: string, input: unknown, call: CallContext): IdempotencyClaim {
  return {
    scope: `${name} ${principalKey(call.principal)} ${call.idempotencyKey ?? ""}`,
    requestDigest: requestDigest(input),
  };
}
