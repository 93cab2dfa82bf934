/** The engine's section of a node's configuration. Defaults stand in `options.ts`. */

import { t } from "@banyan/kernel";
import { tableConfig, tlsConfig } from "@banyan/state/internal";

export const configSchema = t.Object(
  {
    url: t.Optional(
      t.String({
        pattern: "^(?:mysql|mariadb)://[^?]*$",
        writeOnly: true,
        description: "mysql://user:password@host:3306/database; what is given alone wins.",
      }),
    ),
    host: t.Optional(t.String({ minLength: 1, description: "Default 127.0.0.1." })),
    port: t.Optional(t.Integer({ minimum: 1, maximum: 65_535, description: "Default 3306." })),
    database: t.Optional(t.String({ minLength: 1, description: "Default banyan." })),
    user: t.Optional(t.String({ minLength: 1, description: "Default banyan." })),
    password: t.Optional(t.String({ writeOnly: true, description: "Default: none." })),
    tls: tlsConfig("serverName"),
    ...tableConfig,
  },
  { description: "MariaDB or MySQL, where an engine of that name keeps stores." },
);
