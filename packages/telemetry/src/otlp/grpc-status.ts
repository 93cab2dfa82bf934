/** The statuses of gRPC, and which of them OTLP wants tried again. */

import { readRetryInfo } from "./export-answer.ts";
import type { ExportAnswer } from "./export-answer.ts";

const names = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

const again = new Set([
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

export interface GrpcFailure {
  /** Never 0. */
  readonly code: number;
  readonly message: string;
  /** `grpc-status-details-bin`, decoded. */
  readonly details: Uint8Array | undefined;
}

export function answerFailure({ code, message, details }: GrpcFailure): ExportAnswer {
  const name = names[code] ?? "UNKNOWN";
  const reason = message === "" ? `gRPC ${name}` : `gRPC ${name}: ${message}`;
  const afterMs = details === undefined ? undefined : readRetryInfo(details);
  // Exhausted for good, such as a request that is too large, unless a time to come back is named.
  const isAgain = again.has(name) || (name === "RESOURCE_EXHAUSTED" && afterMs !== undefined);
  return isAgain ? { kind: "again", reason, afterMs } : { kind: "refused", reason };
}

/** For an answer that is no gRPC at all, as a proxy on the way gives it. */
export function answerHttpStatus(status: number): ExportAnswer {
  const reason = `HTTP ${status} instead of gRPC`;
  return [429, 502, 503, 504].includes(status)
    ? { kind: "again", reason, afterMs: undefined }
    : { kind: "refused", reason };
}
