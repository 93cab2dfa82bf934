/** Request bodies: JSON, in UTF-8, with an error that says where it stops being that. */

import { isUtf8 } from "node:buffer";
import { hostErrors } from "../errors.ts";

/**
 * Parses a JSON body. An empty one is an empty object: an operation without fields needs no body.
 *
 * Keys such as `__proto__` are harmless here: what reaches a handler is a copy made by a schema,
 * never this object. @throws HTTP_BODY_INVALID
 */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  if (!isUtf8(body))
    throw hostErrors.HTTP_BODY_INVALID("The body is not UTF-8; send JSON in UTF-8.");
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) {
    throw hostErrors.HTTP_BODY_INVALID("The body begins with a byte order mark; JSON has none.");
  }
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw hostErrors.HTTP_BODY_INVALID(`The body is not JSON: ${parserMessage(cause)}.`, { cause });
  }
}

/** The parser's own words, without the quoted input: a body may hold secrets. */
function parserMessage(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(text)?.[0];
  if (text.startsWith("Unexpected end")) return "it ends too early";
  const token = /^Unexpected token '(.)'/u.exec(text)?.[1];
  if (place === undefined)
    return `there is an unexpected ${token === undefined ? "token" : `'${token}'`}`;
  return `there is something unexpected ${place}`;
}
