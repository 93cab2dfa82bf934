/** A transaction of an author as an operation: what it answered is recorded with what it wrote. */

import { requestDigest } from "@banyan/kernel/internal";
import { stateErrors } from "./errors.ts";
import { assertOperationId } from "./operation-records.ts";
import type { Operation } from "./operation-records.ts";
import type { StoreCore } from "./store-core.ts";
import { examineValue } from "./stored-value.ts";

/** Of an answer's JSON: it is kept for a day, beside what was written. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** What tells a transaction from others under its id, besides its stores: functions do not. */
export interface TransactionIdentity {
  /** Of the lock that it is under. */
  readonly lock: string | undefined;
  readonly request: unknown;
}

/** @throws STATE_OPERATION_INVALID */
export function transactionOperation<R>(
  id: string,
  cores: ReadonlyMap<string, StoreCore<unknown>>,
  { lock, request }: TransactionIdentity,
): Operation<R> {
  assertOperationId(id);
  const labels = Array.from(cores.values(), ({ label }) => label).sort();
  return {
    id,
    digest: requestDigest(["transaction", labels, lock ?? null, request ?? null]),
    isBlind: false,
    encode: (result) => (result === undefined ? undefined : answerOf(id, result)),
    // It is what `run` answered, which is all that is known of R, or a copy of it.
    decode: (answer) => structuredClone(answer) as R,
  };
}

/** A copy, so that the author may go on with what it answered. */
function answerOf(id: string, result: unknown): unknown {
  let text: string;
  try {
    text = JSON.stringify(result) ?? "";
  } catch (cause) {
    throw unfit(id, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > ANSWER_BYTES_MAX) {
    throw stateErrors.STATE_VALUE_TOO_LARGE(
      `The transaction with the operationId ${id} answered ${bytes} bytes of JSON, and at most ` +
        `${ANSWER_BYTES_MAX} are recorded; nothing was written. Answer a key, and read the rest.`,
      { details: { operationId: id, bytes, bytesMax: ANSWER_BYTES_MAX } },
    );
  }
  const { issue } = examineValue(result, ANSWER_BYTES_MAX);
  if (issue !== undefined) throw unfit(id, issue.message, undefined);
  return JSON.parse(text);
}

function unfit(id: string, why: string, cause: unknown): Error {
  return stateErrors.STATE_VALUE_INVALID(
    `What the transaction with the operationId ${id} answered is recorded, so it must be JSON ` +
      `data; nothing was written: ${why}`,
    { details: { operationId: id }, cause },
  );
}
