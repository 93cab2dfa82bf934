/**
 * The closed set of error kinds and what each is called on every wire.
 *
 * The names are gRPC's canonical status names in snake_case, because every other wire already has a
 * published mapping from them. One table, so no two doors can disagree about what a kind means.
 */

export const ErrorKind = {
  Cancelled: "cancelled",
  Unknown: "unknown",
  InvalidArgument: "invalid_argument",
  DeadlineExceeded: "deadline_exceeded",
  NotFound: "not_found",
  AlreadyExists: "already_exists",
  PermissionDenied: "permission_denied",
  ResourceExhausted: "resource_exhausted",
  FailedPrecondition: "failed_precondition",
  Aborted: "aborted",
  OutOfRange: "out_of_range",
  Unimplemented: "unimplemented",
  Internal: "internal",
  Unavailable: "unavailable",
  DataLoss: "data_loss",
  Unauthenticated: "unauthenticated",
} as const;
export type ErrorKind = (typeof ErrorKind)[keyof typeof ErrorKind];

/** What a kind is called on each wire. */
export interface KindNames {
  /** HTTP status code. An error code may narrow it (413 is an `invalid_argument` too). */
  readonly http: number;
  /** Exit code of the command line; stable, documented, never reused. */
  readonly exit: number;
  /** gRPC status number. */
  readonly grpc: number;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
}

/** Kind → its name on every wire. */
export const errorKinds: Readonly<Record<ErrorKind, KindNames>> = Object.freeze({
  cancelled: { http: 499, exit: 130, grpc: 1, retryable: false },
  unknown: { http: 500, exit: 1, grpc: 2, retryable: false },
  invalid_argument: { http: 400, exit: 2, grpc: 3, retryable: false },
  deadline_exceeded: { http: 504, exit: 8, grpc: 4, retryable: false },
  not_found: { http: 404, exit: 3, grpc: 5, retryable: false },
  already_exists: { http: 409, exit: 4, grpc: 6, retryable: false },
  permission_denied: { http: 403, exit: 5, grpc: 7, retryable: false },
  resource_exhausted: { http: 429, exit: 9, grpc: 8, retryable: true },
  failed_precondition: { http: 412, exit: 10, grpc: 9, retryable: false },
  aborted: { http: 409, exit: 4, grpc: 10, retryable: true },
  out_of_range: { http: 400, exit: 2, grpc: 11, retryable: false },
  unimplemented: { http: 501, exit: 11, grpc: 12, retryable: false },
  internal: { http: 500, exit: 1, grpc: 13, retryable: false },
  unavailable: { http: 503, exit: 7, grpc: 14, retryable: true },
  data_loss: { http: 500, exit: 1, grpc: 15, retryable: false },
  unauthenticated: { http: 401, exit: 6, grpc: 16, retryable: false },
});

/** True for a string of the closed set. */
export function isErrorKind(value: unknown): value is ErrorKind {
  return typeof value === "string" && Object.hasOwn(errorKinds, value);
}
