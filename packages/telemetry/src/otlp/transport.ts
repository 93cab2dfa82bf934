/** The way to the receiver, as the rest of the exporter sees it. */

import type { ExportAnswer } from "./export-answer.ts";
import type { OtlpSignal } from "./otlp-target.ts";

export interface ExportRequest {
  readonly signal: OtlpSignal;
  /** The encoded message, compressed if the exporter is told so. */
  readonly body: Uint8Array;
}

export interface Transport {
  /**
   * Sends one request. Never rejects: a connection that cannot be made or breaks, and an abort, are
   * answers too.
   */
  send(request: ExportRequest, abort: AbortSignal): Promise<ExportAnswer>;
  /** Lets go of connections; what is under way is broken off. */
  close(): void;
}

/** How a connection that could not be made or broke is answered. */
export function brokenOff(error: unknown): ExportAnswer {
  return { kind: "again", reason: reasonOf(error), afterMs: undefined };
}

/** Node's words, with the code that people search for. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A stream that fell with its session: the session's error is the reason.
  if (error.cause instanceof Error && codeOf(error).startsWith("ERR_HTTP2")) {
    return reasonOf(error.cause);
  }
  // All addresses of a name failed: the first says why.
  if (error instanceof AggregateError && error.message === "") return reasonOf(error.errors[0]);
  const code = codeOf(error);
  return error.message.includes(code) ? error.message : `${error.message} (${code})`;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
