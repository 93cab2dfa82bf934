/** What the file says, as the bus says it: its callers know no SQLite. */

import { isBanyanError } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";

export function busFailure(error: unknown, path: string): Error {
  if (isBanyanError(error) && error.code === "SQLITE_OUTCOME_UNKNOWN") {
    return messagingErrors.MESSAGING_OUTCOME_UNKNOWN(
      `The bus cannot tell whether its file ${path} took this. Start the node again: what is in ` +
        `the file then is what holds.`,
      { cause: error },
    );
  }
  if (isBanyanError(error) && error.code === "CLOSED") return error;
  const why = isBanyanError(error) ? error.message : "The log has the cause.";
  return messagingErrors.MESSAGING_UNAVAILABLE(`The bus cannot use its file ${path}. ${why}`, {
    cause: error,
  });
}
