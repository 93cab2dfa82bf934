/** What Fastify refuses, in our words; anything else it throws is a fault of ours. */

import { isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import { hostErrors } from "../errors.ts";
import { shown } from "./shown.ts";

export interface RefusedRequest {
  /** Largest body that its route takes. */
  readonly bodyLimit: number;
  readonly mediaType: string | undefined;
}

/** The error to answer; what has the code INTERNAL is still to be logged. */
export function requestErrorOf(error: unknown, request: RefusedRequest): BanyanError {
  if (isBanyanError(error)) return error;
  switch (codeOf(error)) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return bodyTooLarge(request.bodyLimit);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return hostErrors.HTTP_MEDIA_TYPE_UNSUPPORTED(mediaTypeMessage(request.mediaType));
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return hostErrors.HTTP_REQUEST_MALFORMED("The body is not as long as Content-Length says.");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_INVALID_URL":
      return hostErrors.HTTP_REQUEST_MALFORMED("The URL is not well-formed; check its % escapes.");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return hostErrors.HTTP_REQUEST_MALFORMED("A parameter in the path is too long.");
    // The client went away, or its bytes stopped being HTTP, in the middle of its body.
    case "ECONNRESET":
    case "ERR_STREAM_PREMATURE_CLOSE":
      return bodyEndedEarly();
    default:
      return kernelErrors.INTERNAL(
        "The request could not be served; the node's log has the cause.",
        {
          cause: error,
        },
      );
  }
}

export function bodyTooLarge(limitBytes: number): BanyanError {
  return hostErrors.HTTP_BODY_TOO_LARGE(
    `The body is larger than the ${limitBytes} bytes allowed here.`,
    { details: { limitBytes } },
  );
}

export function bodyEndedEarly(): BanyanError {
  return hostErrors.HTTP_REQUEST_MALFORMED("The body ended before it was complete.");
}

function mediaTypeMessage(mediaType: string | undefined): string {
  if (mediaType === undefined) {
    return "The body has no media type; send it with content-type: application/json.";
  }
  return `The media type ${shown(mediaType)} is not taken here; send content-type: application/json.`;
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
