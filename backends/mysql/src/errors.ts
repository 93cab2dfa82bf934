/** What can go wrong with a MariaDB or MySQL, by name, for whoever operates it at night. */

import { defineErrors } from "@banyan/kernel";

export const mysqlErrors = defineErrors({
  MYSQL_UNREACHABLE: {
    kind: "unavailable",
    summary:
      "The MariaDB or MySQL server did not answer in time. Check host, port and network, and whether it runs.",
  },
  MYSQL_LOGIN_REFUSED: {
    kind: "failed_precondition",
    summary:
      "MariaDB or MySQL refused user, password, client certificate or database. Correct the configuration.",
  },
  MYSQL_TLS_REFUSED: {
    kind: "failed_precondition",
    summary:
      "The TLS handshake with MariaDB or MySQL failed: an unknown authority, another host's certificate, or no TLS at all.",
  },
  MYSQL_UNSUITABLE: {
    kind: "failed_precondition",
    summary:
      "The database cannot keep stores: it is read-only, or the user may not make the tables.",
  },
  MYSQL_SCHEMA_NEWER: {
    kind: "failed_precondition",
    summary: "The tables were made by a newer version of this package. Run that version, or newer.",
  },
});
