/** The error codes of stores, whichever engine keeps them. */

import { defineErrors } from "@banyan/kernel";

export const stateErrors = defineErrors({
  STATE_KEY_INVALID: {
    kind: "invalid_argument",
    summary: "A key is 1 to 512 bytes of Unicode text without U+0000 and lone surrogates.",
  },
  STATE_VALUE_INVALID: {
    kind: "invalid_argument",
    summary:
      "The value does not fit the store's schema, or holds text that cannot be stored; `issues` lists where.",
  },
  STATE_VALUE_TOO_LARGE: {
    kind: "invalid_argument",
    http: 413,
    summary: "The value is larger as JSON than the store allows (1 MiB unless configured).",
  },
  STATE_VALUE_NEWER: {
    kind: "failed_precondition",
    summary:
      "The value was written by a newer version of the store's contract. Run that version, or newer.",
  },
  STATE_VALUE_UNREADABLE: {
    kind: "data_loss",
    summary:
      "A stored value does not fit the store's schema, or could not be upgraded to it. Raise the store's `version` and give an `upgrade`.",
  },
  STATE_VERSION_CONFLICT: {
    kind: "aborted",
    retryable: false,
    summary:
      "`ifMatch` or `ifAbsent` does not hold: somebody else wrote first. Read again and decide anew.",
  },
  STATE_UPDATE_CONTENDED: {
    kind: "aborted",
    summary: "An update lost to other writers too many times. Try again later.",
  },
  STATE_TTL_NOT_ALLOWED: {
    kind: "invalid_argument",
    summary: "A durable store takes `ttlMs` only if its contract says `expires: true`.",
  },
  STATE_OPTION_INVALID: {
    kind: "invalid_argument",
    summary: "An option of a store method or of an engine is out of bounds or unknown.",
  },
  STATE_BATCH_INVALID: {
    kind: "invalid_argument",
    summary: "A batch has at most 1000 keys, and a batch of writes names each key once.",
  },
  STATE_STORE_INVALID: {
    kind: "failed_precondition",
    summary: "A store's scope, name or declaration breaks the rules.",
  },
  STATE_CAPABILITY_UNKNOWN: {
    kind: "failed_precondition",
    summary: "A store asks for a capability that no engine knows; the nearest known one is named.",
  },
  STATE_CAPABILITY_MISSING: {
    kind: "failed_precondition",
    summary:
      "A store asks for what its engine cannot do; the engines that can are named. Choose another engine in the configuration.",
  },
  STATE_TRANSACTION_MIXED: {
    kind: "failed_precondition",
    summary:
      "A transaction's stores are kept by different engines. Put them on one engine in the configuration.",
  },
  STATE_TRANSACTION_UNFINISHED: {
    kind: "failed_precondition",
    summary:
      "A transaction's function ended before what it had begun; nothing was written. Await everything inside it.",
  },
  STATE_RIDER_FOREIGN: {
    kind: "failed_precondition",
    summary:
      "What should be committed with a transaction belongs to another file or process than its stores. Put bus and stores on one engine.",
  },
  STATE_OUTCOME_UNKNOWN: {
    kind: "unknown",
    summary:
      "The write was handed to the engine, and whether it was done is not known. Read before you repeat it, or give writes an `operationId`: they can be asked again.",
  },
  STATE_OPERATION_INVALID: {
    kind: "invalid_argument",
    summary: "An `operationId` is 1 to 128 visible ASCII characters.",
  },
  STATE_OPERATION_MISMATCH: {
    kind: "failed_precondition",
    summary:
      "The `operationId` was used for another write of the same service; nothing was written. Give each write an id of its own.",
  },
  STATE_SCOPE_INVALID: {
    kind: "invalid_argument",
    summary: "A scope's name, owner or summary is empty, too long, or text that cannot be stored.",
  },
  STATE_SCOPE_UNKNOWN: {
    kind: "not_found",
    summary: "The service has no scope of this name. Make it first.",
  },
  STATE_SCOPE_TAKEN: {
    kind: "already_exists",
    summary: "A scope of this name belongs to another owner. Choose another name.",
  },
  STATE_SCOPE_GOING: {
    kind: "failed_precondition",
    summary: "The scope is being deleted. Wait, or delete it again to finish what was cut off.",
  },
  STATE_SCOPE_FOREIGN: {
    kind: "permission_denied",
    summary: "The scope belongs to another owner than the one it was asked for.",
  },
  STATE_LOCK_LOST: {
    kind: "aborted",
    retryable: false,
    summary:
      "The lock is no longer held: it expired, or somebody else took it. What was not committed under it yet is refused; acquire it again.",
  },
  STATE_LOCK_INVALID: {
    kind: "invalid_argument",
    summary:
      "What was given as a lock is none that this package made, or guards another engine's stores.",
  },
  STATE_ENTRIES_FULL: {
    kind: "resource_exhausted",
    summary:
      "The memory engine holds as many entries as it may. Delete some, or raise `entriesMax`.",
  },
  STATE_ENGINE_UNAVAILABLE: {
    kind: "unavailable",
    summary: "The engine that keeps the store failed or cannot be reached. Try again later.",
  },
});
