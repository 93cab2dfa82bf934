/** What can go wrong with a Redis, by name, so that an operator knows what to do at night. */

import { defineErrors, isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { stateErrors } from "@banyan/state";

export const redisErrors = defineErrors({
  REDIS_UNREACHABLE: {
    kind: "unavailable",
    summary:
      "No connection to Redis. Nothing was sent; the engine keeps trying. Check address, network and server.",
  },
  REDIS_TIMED_OUT: {
    kind: "unavailable",
    summary:
      "Redis did not answer a read within `commandTimeoutMs`. Look at its load, its slow log and the network.",
  },
  REDIS_REFUSED: {
    kind: "unavailable",
    summary:
      "Redis refused a command and did nothing: it loads, is full, is a replica, or moves a slot. Its words are the cause.",
  },
  REDIS_AUTH_REFUSED: {
    kind: "failed_precondition",
    summary: "Redis refused username or password, or the user may not do what the engine needs.",
  },
  REDIS_CERTIFICATE_REFUSED: {
    kind: "failed_precondition",
    summary:
      "TLS failed: the certificate of the server does not fit `tls.ca` or the name, or it refused ours.",
  },
  REDIS_UNFIT: {
    kind: "failed_precondition",
    summary:
      "The server is not what the options say: older than Redis 7, a Cluster's member, or no member of one.",
  },
  REDIS_FAILED: {
    kind: "unavailable",
    summary: "Redis failed in a way that has no name of its own; the node's log has it.",
  },
});

/** First words of replies that say: refused, and nothing was done. */
const refusals = new Set([
  "OOM",
  "READONLY",
  "LOADING",
  "MISCONF",
  "MASTERDOWN",
  "NOREPLICAS",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "ASK",
  "MOVED",
  "BUSY",
  "NOSCRIPT",
  "UNKILLABLE",
]);
const denials = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|invalid password|Client sent AUTH))/;
const certificateCodes =
  /CERT|SIGNATURE|SELF_SIGNED|ISSUER|ALTNAME|ERR_SSL|ERR_TLS|UNABLE_TO_VERIFY/;

/**
 * Whether it is sure that what was answered so changed nothing. A script looks at the types of what
 * it changes before it begins; any other error may have ended it half way.
 */
export function saysNothingDone(said: string): boolean {
  const [word = ""] = said.split(" ", 1);
  return refusals.has(word) || word === "WRONGTYPE" || denials.test(said);
}

/** What the server answered instead of a result. */
export function replyFailure(error: unknown, place: string): BanyanError {
  if (isBanyanError(error)) return error;
  const said = messageOf(error);
  const [word = ""] = said.split(" ", 1);
  if (refusals.has(word)) {
    return redisErrors.REDIS_REFUSED(
      `Redis at ${place} refused the command and did nothing: ${word}.`,
      { details: { place }, cause: error },
    );
  }
  if (denials.test(said)) return authError(place, error);
  if (word === "WRONGTYPE") return foreignKeyError(error);
  return redisErrors.REDIS_FAILED(`Redis at ${place} failed: ${said.slice(0, 200)}`, {
    details: { place },
    cause: error,
  });
}

/** Why there is no connection, as far as is known. */
export function connectionFailure(error: unknown, place: string): BanyanError {
  if (isBanyanError(error)) return error;
  const said = messageOf(error);
  if (denials.test(said)) return authError(place, error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (certificateCodes.test(code) || /certificate/i.test(said)) {
    return redisErrors.REDIS_CERTIFICATE_REFUSED(
      `TLS with Redis at ${place} failed (${code || said.slice(0, 100)}); check tls.ca, ` +
        `tls.servername and the client's certificate.`,
      { details: { place }, cause: error },
    );
  }
  const why = said === "" ? "" : ` (${said.slice(0, 200)})`;
  return redisErrors.REDIS_UNREACHABLE(
    `There is no connection to Redis at ${place}${why}; nothing was sent.`,
    { details: { place }, cause: error },
  );
}

/**
 * With TLS 1.3 a server that does not like our certificate says so after the handshake, and its
 * words may be lost behind the end of the connection: what is seen is that it hangs up every time.
 */
export function handshakeFailure(failure: BanyanError): BanyanError {
  const { cause } = failure;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code !== "ECONNRESET" && code !== "EPIPE") return failure;
  return redisErrors.REDIS_CERTIFICATE_REFUSED(
    `Redis hung up on every TLS connection (${code}): it may want a certificate of ours, or ` +
      "another one; check tls.certificate and tls.key.",
    { cause: failure },
  );
}

/** Trying again does not mend it: a person has to. */
export function isFinal(error: BanyanError): boolean {
  return error.kind === "failed_precondition";
}

function authError(place: string, cause: unknown): BanyanError {
  return redisErrors.REDIS_AUTH_REFUSED(
    `Redis at ${place} refused the credentials or the permission; check username, password and ` +
      `the user's ACL.`,
    { details: { place }, cause },
  );
}

/** Nothing was done: scripts look at the types of what they change first. */
function foreignKeyError(cause: unknown): BanyanError {
  return stateErrors.STATE_VALUE_UNREADABLE(
    "A key of the Redis engine is of a type that the engine does not write: another program wrote " +
      "to its keys. Delete that key, and give the engine a keyPrefix of its own.",
    { details: { engine: "redis" }, cause },
  );
}

/** More than `requestsWaitingMax` on one connection; names no host, for callers see it. */
export function fullError(requestsWaitingMax: number): BanyanError {
  return stateErrors.STATE_ENGINE_UNAVAILABLE(
    `${requestsWaitingMax} requests wait for the engine redis, and no more may ` +
      `(requestsWaitingMax); nothing was sent. It is slower than its callers: try later.`,
    { details: { engine: "redis", requestsWaitingMax }, retryAfterMs: 100 },
  );
}

/** A write was sent and its reply is lost. Callers see this one, with the reason as its cause. */
export function unknownOutcome(cause: unknown): BanyanError {
  return stateErrors.STATE_OUTCOME_UNKNOWN(
    "The write was sent to Redis and its reply was lost, so whether it was done is not known; " +
      "read before you repeat it. The node's log has the reason.",
    { cause },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
