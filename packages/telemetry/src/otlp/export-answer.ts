/**
 * What a receiver said to one request, whatever the wire: it took it, wants it again, or will never
 * take it. The OTLP specification says which status is which.
 */

import { messageIn, numberIn, readFields, textIn } from "./protobuf-reader.ts";

export type ExportAnswer =
  | {
      readonly kind: "accepted";
      /** Spans or points of it that were not taken; sending them again would not help. */
      readonly rejected: number;
      /** Why, or a warning; "" for none. */
      readonly message: string;
    }
  /** Failed in a way that may pass. */
  | {
      readonly kind: "again";
      readonly reason: string;
      /** When the receiver wants it, if it said so. */
      readonly afterMs: number | undefined;
    }
  /** Would fail again: what was sent is lost. */
  | { readonly kind: "refused"; readonly reason: string };

export type BodyFormat = "protobuf" | "json";

export const acceptedWhole: ExportAnswer = { kind: "accepted", rejected: 0, message: "" };

/** Answers longer than this are cut: nothing that is read of one is longer. */
export const answerBytesMax = 64 * 1024;

/** The body of a success. One that cannot be read is still a success: the status says so. */
export function readAccepted(body: Uint8Array, format: BodyFormat): ExportAnswer {
  if (body.length === 0) return acceptedWhole;
  const { rejected, message } = format === "json" ? jsonPartial(body) : protobufPartial(body);
  return { kind: "accepted", rejected: Math.max(0, rejected), message };
}

interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** `ExportTraceServiceResponse` and its sister for metrics have the same numbers. */
function protobufPartial(body: Uint8Array): PartialSuccess {
  const partial = messageIn(readFields(body), 1);
  return { rejected: numberIn(partial, 1), message: textIn(partial, 2) };
}

function jsonPartial(body: Uint8Array): PartialSuccess {
  const partial = memberOf(parseJson(body), "partialSuccess");
  const rejected = Number(
    memberOf(partial, "rejectedSpans") ?? memberOf(partial, "rejectedDataPoints") ?? 0,
  );
  const message = memberOf(partial, "errorMessage");
  return {
    rejected: Number.isFinite(rejected) ? rejected : 0,
    message: typeof message === "string" ? message : "",
  };
}

/** The message of a `google.rpc.Status`, with which failures are explained; "" for none. */
export function readFailure(body: Uint8Array, format: BodyFormat): string {
  if (format === "protobuf") return textIn(readFields(body), 2);
  const message = memberOf(parseJson(body), "message");
  return typeof message === "string" ? message : "";
}

const retryInfoType = "google.rpc.RetryInfo";

/** The wait that a `google.rpc.Status` asks for with a RetryInfo; `undefined` for none. */
export function readRetryInfo(status: Uint8Array): number | undefined {
  for (const detail of readFields(status)?.get(3) ?? []) {
    if (!(detail instanceof Uint8Array)) continue;
    const any = readFields(detail);
    if (!textIn(any, 1).endsWith(`/${retryInfoType}`)) continue;
    const delay = messageIn(messageIn(any, 2), 1);
    return Math.max(0, numberIn(delay, 1) * 1e3 + numberIn(delay, 2) / 1e6);
  }
  return undefined;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    // Not JSON, whatever its header says; then it has no member that is looked for.
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
