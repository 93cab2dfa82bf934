/** What the driver threw, by what it means for a write. */

import { isBanyanError } from "@banyan/kernel";
import { TableFailure } from "@banyan/state/internal";
import { mysqlErrors } from "./errors.ts";

/** Numbers of https://mariadb.com/kb/en/mariadb-error-codes/ */
const raced = new Set([
  1020, // record has changed since last read
  1062, // another node inserted the row
  1205, // lock not available in time
  1213, // deadlock
]);
/** After these the connection ends, or a commit may have been done. */
const lost = new Set([1053, 1080, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1927, 1969, 4031]);
const invalid = new Set([1118, 1153, 1264, 1265, 1292, 1366, 1406]);
const login = new Set([1044, 1045, 1049, 1130, 1142, 1251, 1524, 1698]);

interface ServerError {
  readonly errno: number;
  readonly message: string;
}

/** An answer of the server, as opposed to the end of a connection. */
function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    "errno" in error &&
    typeof error.errno === "number" &&
    error.errno >= 1000 && // the system's own are negative
    "sqlState" in error
  );
}

/** Of a statement on a connection that was there. */
export function statementFailure(error: unknown): unknown {
  if (isBanyanError(error) || error instanceof TableFailure) return error;
  if (!isServerError(error)) return new TableFailure("lost", messageOf(error), error);
  const { errno, message } = error;
  if (lost.has(errno)) return new TableFailure("lost", message, error);
  if (raced.has(errno)) return new TableFailure("raced", message, error);
  if (invalid.has(errno)) return new TableFailure("invalid", message, error);
  return new TableFailure("refused", message, error);
}

/** Of an attempt to connect. */
export function connectFailure(error: unknown, place: string): unknown {
  if (isBanyanError(error) || error instanceof TableFailure) return error;
  const message = messageOf(error);
  if (isServerError(error)) {
    if (!login.has(error.errno)) return new TableFailure("down", message, error);
    return mysqlErrors.MYSQL_LOGIN_REFUSED(
      `The server at ${place} refused the login (${error.errno}: ${message}); check user, ` +
        `password, client certificate, database and its rights.`,
      { details: { place }, cause: error },
    );
  }
  if (!isTlsError(error)) return new TableFailure("down", message, error);
  return mysqlErrors.MYSQL_TLS_REFUSED(
    `The TLS handshake with the server at ${place} failed (${message}); check tls.ca, ` +
      `tls.serverName and whether the server speaks TLS.`,
    { details: { place }, cause: error },
  );
}

function isTlsError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_(?:VERIFY|GET)|SELF_SIGNED|EPROTO|NO_SSL_SUPPORT/;
  return known.test(code) || messageOf(error).includes("certificate");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
