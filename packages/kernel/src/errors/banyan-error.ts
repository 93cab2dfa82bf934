/**
 * The one error that crosses a public door.
 *
 * `details` is safe to send and must be JSON; `cause` stays in the process and is only logged.
 * Identity is a brand, not `instanceof`: two copies of this package in one process (a user's
 * bundle beside the platform) must still recognise each other's errors.
 */

import { ErrorKind, errorKinds, isErrorKind } from "./kinds.ts";

const brand = Symbol.for("@banyan/error");

/** JSON-safe details of an error. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface BanyanErrorInit {
  readonly kind: ErrorKind;
  /** Stable code in UPPER_SNAKE, prefixed by its owner: `STATE_VERSION_CONFLICT`. */
  readonly code: string;
  /** A sentence that names the value and the fix. Sent to the caller: no secret may enter it. */
  readonly message: string;
  /** HTTP status, 400 … 599, where the code narrows its kind's (413, 415 …). */
  readonly http?: number | undefined;
  readonly details?: ErrorDetails | undefined;
  /** Never sent. */
  readonly cause?: unknown;
  /** Default: what the kind says. */
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** An error as it crosses a wire: everything but the cause. */
export interface WireError {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly http?: number;
  readonly details?: ErrorDetails;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

export class BanyanError extends Error {
  override readonly name = "BanyanError";
  readonly kind: ErrorKind;
  readonly code: string;
  readonly http: number;
  readonly details: ErrorDetails | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(init: BanyanErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.kind = init.kind;
    this.code = init.code;
    this.http = isStatus(init.http) ? init.http : errorKinds[init.kind].http;
    this.details = init.details;
    this.retryable = init.retryable ?? errorKinds[init.kind].retryable;
    this.retryAfterMs = init.retryAfterMs;
  }

  get [brand](): true {
    return true;
  }

  /** The sendable half; `JSON.stringify(error)` uses it too, so a cause cannot leak by accident. */
  toJSON(): WireError {
    return {
      kind: this.kind,
      code: this.code,
      message: this.message,
      ...(this.http === errorKinds[this.kind].http ? {} : { http: this.http }),
      ...(this.details === undefined ? {} : { details: this.details }),
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
    };
  }
}

/** True for a BanyanError of any copy of the package, optionally with this very code. */
export function isBanyanError(value: unknown, code?: string): value is BanyanError {
  if (typeof value !== "object" || value === null || !(brand in value)) return false;
  return code === undefined || ("code" in value && value.code === code);
}

/**
 * A copy as it arrives on the other side of a call: without the cause, and sharing no object. Calls
 * within a process get the same, so that nobody can come to rely on more.
 */
export function crossingError(error: BanyanError): BanyanError {
  return new BanyanError({
    kind: error.kind,
    code: error.code,
    message: error.message,
    http: error.http,
    details: error.details === undefined ? undefined : sendableDetails(error.details),
    retryable: error.retryable,
    retryAfterMs: error.retryAfterMs,
  });
}

/** Details are promised to be JSON. Where they are not, the error still has to arrive. */
function sendableDetails(details: ErrorDetails): ErrorDetails | undefined {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(details));
    return isRecord(copy) ? copy : undefined;
  } catch {
    // A cycle or a bigint: the details are lost, the code and the message are not.
    return undefined;
  }
}

/** Rebuilds an error that crossed a wire; `undefined` for what is not a well-formed one. */
export function parseWireError(value: unknown): BanyanError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  // A cast to a bag of unknowns: every field is narrowed below before use.
  const bag = value as Record<string, unknown>;
  const { kind, code, message, http, details, retryable, retryAfterMs } = bag;
  if (!isErrorKind(kind) || typeof code !== "string" || typeof message !== "string") {
    return undefined;
  }
  return new BanyanError({
    kind,
    code,
    message,
    http: isStatus(http) ? http : undefined,
    // Objects are JSON by construction: they came out of a parsed message.
    details: isRecord(details) ? details : undefined,
    retryable: typeof retryable === "boolean" ? retryable : undefined,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
  });
}

/** Nobody makes our door answer an error with a 200, or with what is no status at all. */
function isStatus(http: unknown): http is number {
  return typeof http === "number" && Number.isInteger(http) && http >= 400 && http <= 599;
}

/**
 * The one normaliser from `unknown`. A BanyanError passes; an abort becomes `cancelled`; anything
 * else becomes `internal` with a message that gives nothing away, the original as cause.
 */
export function toBanyanError(value: unknown): BanyanError {
  // The brand of another copy says nothing of its shape: a newer one may have kinds of its own.
  if (isBanyanError(value) && isErrorKind(value.kind)) return value;
  if (value instanceof Error && value.name === "AbortError") {
    return new BanyanError({
      kind: ErrorKind.Cancelled,
      code: "CALL_CANCELLED",
      message: "The work was cancelled before it was finished.",
      cause: value,
    });
  }
  return new BanyanError({
    kind: ErrorKind.Internal,
    code: "INTERNAL",
    message: "The operation failed for a reason that is not the caller's; the node's log has it.",
    cause: value,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
