/** What the driver threw, by what it means for a write. */

import { isBanyanError } from "@banyan/kernel";
import { TableFailure } from "@banyan/state/internal";
import { postgresErrors } from "./errors.ts";

/** Codes of https://www.postgresql.org/docs/current/errcodes-appendix.html */
const raced = new Set([
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available in time
  "23505", // another node inserted the row
]);
const login = new Set(["28000", "28P01", "3D000", "42501"]);
const passing = new Set(["57P03", "53300"]); // starting up; too many connections
/** The connection, its server, a limit of the session's time: nothing else has these codes. */
const ending = /^(?:08|57P|25P0[34])/;
/** Resources, the system, an inner fault: an error of one statement, or the end of the process. */
const perhapsEnding = /^(?:53|58|XX)/;

interface ServerError {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
}

/** Words of the server, as opposed to the end of a connection without any. */
export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    "severity" in error &&
    typeof error.severity === "string" &&
    "code" in error &&
    typeof error.code === "string"
  );
}

/**
 * An answer that leaves its connection well, and of which it is known that nothing was done. What
 * tells is the code: the severity is in the language of the server's `lc_messages` ("FEHLER"), and
 * the driver drops the field that is not. A word is believed where it can mean one thing only.
 */
export function isAnswer(error: unknown): error is ServerError {
  if (!isServerError(error)) return false;
  const { code, severity } = error;
  if (severity === "FATAL" || severity === "PANIC" || ending.test(code)) return false;
  return severity === "ERROR" || !perhapsEnding.test(code);
}

/** Of a statement on a connection that was there. */
export function statementFailure(error: unknown): unknown {
  if (isBanyanError(error) || error instanceof TableFailure) return error;
  // A server that ends the connection says so before it does.
  if (!isAnswer(error)) return new TableFailure("lost", messageOf(error), error);
  const { code, message } = error;
  if (raced.has(code)) return new TableFailure("raced", message, error);
  if (/^(?:22|54)/.test(code)) return new TableFailure("invalid", message, error);
  return new TableFailure("refused", message, error);
}

/** Of an attempt to connect. */
export function connectFailure(error: unknown, place: string): unknown {
  if (isBanyanError(error) || error instanceof TableFailure) return error;
  const message = messageOf(error);
  if (isServerError(error)) {
    if (!login.has(error.code) || passing.has(error.code)) {
      return new TableFailure("down", message, error);
    }
    return postgresErrors.POSTGRES_LOGIN_REFUSED(
      `PostgreSQL at ${place} refused the login (${error.code}: ${message}); check user, ` +
        `password, client certificate, database and pg_hba.conf.`,
      { details: { place }, cause: error },
    );
  }
  if (!isTlsError(error)) return new TableFailure("down", message, error);
  return postgresErrors.POSTGRES_TLS_REFUSED(
    `The TLS handshake with PostgreSQL at ${place} failed (${message}); check tls.ca, ` +
      `tls.serverName and whether the server speaks TLS.`,
    { details: { place }, cause: error },
  );
}

function isTlsError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return (
    /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_(?:VERIFY|GET)|SELF_SIGNED|EPROTO/.test(code) ||
    /does not support SSL|certificate/.test(messageOf(error))
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
