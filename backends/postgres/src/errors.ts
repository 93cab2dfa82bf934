/** What can go wrong with a PostgreSQL, by name, so that an operator knows what to do at night. */

import { defineErrors } from "@banyan/kernel";

export const postgresErrors = defineErrors({
  POSTGRES_UNREACHABLE: {
    kind: "unavailable",
    summary:
      "The PostgreSQL server did not answer in time. Check host, port and network, and whether it runs.",
  },
  POSTGRES_LOGIN_REFUSED: {
    kind: "failed_precondition",
    summary:
      "PostgreSQL refused user, password, client certificate or database. Correct the configuration.",
  },
  POSTGRES_TLS_REFUSED: {
    kind: "failed_precondition",
    summary:
      "The TLS handshake with PostgreSQL failed: an unknown authority, another host's certificate, or no TLS at all.",
  },
  POSTGRES_UNSUITABLE: {
    kind: "failed_precondition",
    summary:
      "The database cannot keep stores: its encoding is not UTF8, it is read-only, or the user may not make the tables.",
  },
  POSTGRES_SCHEMA_NEWER: {
    kind: "failed_precondition",
    summary: "The tables were made by a newer version of this package. Run that version, or newer.",
  },
});
