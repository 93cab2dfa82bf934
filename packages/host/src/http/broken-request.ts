/** The answer to bytes that are no HTTP request: written on the bare socket, then it is closed. */

import type { Socket } from "node:net";
import type { BanyanError } from "@banyan/kernel";
import { hostErrors } from "../errors.ts";
import { problemHeaders, problemOf } from "./problem.ts";

/** Node's `clientError` handler. */
export function answerBrokenRequest(error: { readonly code?: string }, socket: Socket): void {
  // Bytes in the middle of an earlier request's answer would make that answer a lie.
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const problem = brokenRequestError(error.code);
  const body = JSON.stringify(problemOf(problem));
  const headers = { ...problemHeaders(problem), connection: "close" };
  const head = [
    `HTTP/1.1 ${problem.http} ${problem.kind.replaceAll("_", " ")}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  // Destroyed as soon as it is written: a peer that never closes its half must not keep it.
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** Node keeps the answer in progress here; its own handler asks the same question. */
function isAnswering(socket: Socket): boolean {
  const message: unknown = Reflect.get(socket, "_httpMessage");
  return (
    typeof message === "object" && message !== null && Reflect.get(message, "headersSent") === true
  );
}

function brokenRequestError(code: string | undefined): BanyanError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return hostErrors.HTTP_HEADERS_TOO_LARGE(
        "The head of the request is larger than http.headerBytesMax.",
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return hostErrors.HTTP_BODY_TOO_LARGE("The chunk extensions of the body are too large.");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return hostErrors.HTTP_REQUEST_TIMEOUT(
        "The request was not received within http.receiveTimeoutMs.",
      );
    default:
      return hostErrors.HTTP_REQUEST_MALFORMED("This is not a well-formed HTTP request.");
  }
}
