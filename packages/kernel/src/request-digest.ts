/** A mark of a request: the same for the same JSON data, whatever the order of its properties. */

import { createHash } from "node:crypto";

/** SHA-256 in base64url, 43 characters. */
export function requestDigest(request: unknown): string {
  const text = JSON.stringify(request, inKeyOrder) ?? "";
  return createHash("sha256").update(text).digest("base64url");
}

/** Maps keep their sender's order of keys; the same request is the same digest in any order. */
function inKeyOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
