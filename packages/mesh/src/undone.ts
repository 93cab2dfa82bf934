/**
 * Failures of calls that nobody has begun: refused before the handler, or never sent. Only these
 * may be tried elsewhere whatever the operation does. That an error has the code of such a refusal
 * says nothing: a handler's own failure may have it too.
 */

import type { BanyanError } from "@banyan/kernel";

const undone = new WeakSet<object>();

export function markUndone(error: BanyanError): BanyanError {
  undone.add(error);
  return error;
}

export function isUndone(error: unknown): error is BanyanError {
  return typeof error === "object" && error !== null && undone.has(error);
}
