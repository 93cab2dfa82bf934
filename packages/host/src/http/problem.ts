/** Errors on HTTP: problem details (RFC 9457) with our own members beside the standard ones. */

import type { BanyanError, Issue } from "@banyan/kernel";

/** Body of an `application/problem+json` answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly kind: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** JSON pointer of the first thing that is wrong with the request. */
  readonly pointer?: string;
  readonly issues?: readonly Issue[];
  readonly details?: Readonly<Record<string, unknown>>;
  readonly traceId?: string;
}

const problemMediaType = "application/problem+json; charset=utf-8";

/** The answer to an error. Only sendable fields are read, so its cause cannot be in it. */
export function problemOf(error: BanyanError, traceId?: string): Problem {
  const { issues, ...details } = error.details ?? {};
  // Only the kernel puts `issues` into details, always as a list of Issue.
  const list = Array.isArray(issues) ? (issues as readonly Issue[]) : undefined;
  const pointer = list?.[0]?.pointer;
  return {
    type: `urn:banyan:error:${error.code}`,
    title: error.kind.replaceAll("_", " "),
    status: error.http,
    detail: error.message,
    code: error.code,
    kind: error.kind,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(pointer === undefined ? {} : { pointer }),
    ...(list === undefined ? {} : { issues: list }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** Headers that go with a problem. */
export function problemHeaders(error: BanyanError): Record<string, string> {
  const headers: Record<string, string> = { "content-type": problemMediaType };
  if (error.retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  }
  if (error.http === 401) headers["www-authenticate"] = 'Bearer realm="banyan"';
  return headers;
}
