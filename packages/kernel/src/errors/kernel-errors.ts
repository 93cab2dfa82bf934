/** The kernel's own error codes: everything the pipeline and the contract check can answer. */

import { defineErrors } from "./catalogue.ts";

export const kernelErrors = defineErrors({
  INTERNAL: {
    kind: "internal",
    summary: "The operation failed for a reason that is not the caller's. The node's log has it.",
  },
  REQUEST_INVALID: {
    kind: "invalid_argument",
    summary:
      "The request does not fit the operation's schema; `issues` lists where, what was expected and what was found.",
  },
  RESPONSE_INVALID: {
    kind: "internal",
    summary:
      "The handler returned something its own contract does not allow. A bug of the service; the node's log lists the issues.",
  },
  EVENT_INVALID: {
    kind: "invalid_argument",
    summary: "A published event does not fit its schema; `issues` lists where.",
  },
  CALL_CANCELLED: {
    kind: "cancelled",
    summary: "The caller cancelled the call, or went away, before it was finished.",
  },
  CALL_DEADLINE_EXCEEDED: {
    kind: "deadline_exceeded",
    summary:
      "The call was not finished by its deadline. Whether its effects took place is not known; repeat it with an idempotency key.",
  },
  CALL_OPTIONS_INVALID: {
    kind: "invalid_argument",
    summary: "An option of a call, such as `timeoutMs`, is not what it must be.",
  },
  CALL_UNAUTHENTICATED: {
    kind: "unauthenticated",
    summary: "The operation needs a signed-in caller, or the credential given is not valid.",
  },
  CALL_PERMISSION_DENIED: {
    kind: "permission_denied",
    summary: "The caller is known but may not call this operation.",
  },
  CALL_LIMIT_REACHED: {
    kind: "resource_exhausted",
    summary:
      "The operation or the node has as many calls in flight as its limit allows. Try later.",
  },
  NODE_DRAINING: {
    kind: "unavailable",
    summary: "The node is stopping and takes no new calls. Try another instance, or later.",
  },
  OPERATION_UNKNOWN: {
    kind: "not_found",
    summary: "The service has no operation of that name; the nearest known one is named.",
  },
  SERVICE_UNKNOWN: {
    kind: "not_found",
    summary: "No service of that name is known here; the nearest known one is named.",
  },
  SERVICE_UNAVAILABLE: {
    kind: "unavailable",
    summary: "The service is known but nobody provides it at the moment.",
  },
  IDEMPOTENCY_IN_PROGRESS: {
    kind: "aborted",
    summary: "A call with the same idempotency key is still running. Ask again with the same key.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    kind: "invalid_argument",
    summary: "The idempotency key was used before with another request. Use a new key.",
  },
  IDEMPOTENCY_KEY_INVALID: {
    kind: "invalid_argument",
    summary: "An idempotency key is 1 to 255 visible ASCII characters.",
  },
  CONTRACT_INVALID: {
    kind: "failed_precondition",
    summary: "A contract breaks the rules; every offence is listed with its place and its fix.",
  },
  NODE_PLAN_INVALID: {
    kind: "failed_precondition",
    summary:
      "The services chosen for this node do not fit together; every offence is listed with its place and its fix.",
  },
  CONFIG_INVALID: {
    kind: "failed_precondition",
    summary: "The configuration is wrong; every problem is listed with its origin and its fix.",
  },
  CLOSED: {
    kind: "failed_precondition",
    summary: "The resource was closed before this use; open a new one.",
  },
});
