/**
 * What a failed handler means for its message: try again, or give it up.
 *
 * Final at once are only errors that say the message itself is wrong, because the same message
 * will be just as wrong the next time. A thing not found, a permission missing, a state that does
 * not fit may all be different a minute later, when the other service has caught up: they are
 * retried, even though the same *call* would not be.
 */

import { isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import type { DeadLetter } from "./bus.ts";
import { messagingErrors } from "./errors.ts";

/**
 * Throw it from a handler to give the message up now, without more retries.
 *
 * @example
 * throw deadLetter("The account of this order was erased; nobody can be charged.");
 */
export function deadLetter(
  message: string,
  options: { readonly cause?: unknown } = {},
): BanyanError {
  return messagingErrors.MESSAGING_DEAD_LETTER(message, { cause: options.cause });
}

/** True for an error after which the same message cannot succeed. */
export function isFinal(error: unknown): boolean {
  if (!isBanyanError(error) || error.retryable) return false;
  return (
    error.code === "MESSAGING_DEAD_LETTER" ||
    error.kind === "invalid_argument" ||
    error.kind === "out_of_range"
  );
}

const messageLengthMax = 1000;
const stackLengthMax = 2000;
const causesMax = 5;

/** The error as a dead letter keeps it: an operator must see what really happened. */
export function describeFailure(error: unknown): DeadLetter["error"] {
  const stack = stackOf(error);
  const where = stack === "" ? {} : { stack };
  if (isBanyanError(error)) {
    const { kind, code, message, details } = error;
    const text = message.slice(0, messageLengthMax);
    return { kind, code, message: text, ...(details === undefined ? {} : { details }), ...where };
  }
  const text = textOf(error).slice(0, messageLengthMax);
  return { kind: "internal", code: "INTERNAL", message: text, ...where };
}

/** The places it passed through, then those of its causes, each under what it says. */
function stackOf(error: unknown): string {
  const lines: string[] = [];
  try {
    let at = error;
    for (let depth = 0; at instanceof Error && depth <= causesMax; depth += 1) {
      if (depth > 0) lines.push(`caused by ${textOf(at)}`);
      lines.push(...framesOf(at));
      at = at.cause;
    }
  } catch {
    // A getter of its own threw: what was read so far is kept.
  }
  return lines.join("\n").slice(0, stackLengthMax);
}

function framesOf({ stack }: Error): readonly string[] {
  if (typeof stack !== "string") return [];
  return stack
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "));
}

/** Anything can be thrown, also what has no text; that must not cost the message its letter. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "The handler threw a value that cannot be turned into text.";
  }
}
