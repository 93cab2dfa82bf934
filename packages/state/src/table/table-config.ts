/**
 * Settings of every engine on a table, as a configuration documents them. Defaults are the options'
 * own (`table-options.ts`), so that there is one place for them.
 */

import { t } from "@banyan/kernel";

export const tableConfig = {
  commandTimeoutMs: t.Optional(
    t.Integer({
      minimum: 10,
      maximum: 600_000,
      description: "How long a statement, or a write for its turn, may take. Default 5000.",
    }),
  ),
  connectTimeoutMs: t.Optional(
    t.Integer({
      minimum: 0,
      maximum: 600_000,
      description: "How long a start waits for a server that is down. Default 10 000.",
    }),
  ),
  poolSize: t.Optional(
    t.Integer({
      minimum: 1,
      maximum: 1000,
      description: "Connections that read; one more writes. Default 4.",
    }),
  ),
  sweepIntervalMs: t.Optional(
    t.Integer({
      minimum: 100,
      maximum: 86_400_000,
      description: "Pause between two sweeps of expired entries. Default 30 000.",
    }),
  ),
  writesWaitingMax: t.Optional(
    t.Integer({
      minimum: 1,
      maximum: 10_000_000,
      description: "Writes that may wait; one more is refused. Default 100 000.",
    }),
  ),
  time: t.Optional(
    t.Enum(["server", "node"], {
      description: "Whose clock decides when entries expire. Default server, so that nodes agree.",
    }),
  ),
  tablePrefix: t.Optional(
    t.String({
      pattern: "^(?:[a-z_][a-z0-9_]{0,31})?$",
      description: "What the names of the tables begin with.",
    }),
  ),
};

/** Of a server that is reached by TLS; `true`: by the authorities that Node ships. */
export function tlsConfig(serverName: "serverName" | "servername") {
  const file = (description: string) =>
    t.Optional(t.String({ minLength: 1, description, "x-file": true }));
  return t.Optional(
    t.Union(
      [
        t.Boolean(),
        t.Object(
          {
            ca: file("Certificate authority of the server, a PEM file."),
            certificate: file("Certificate this node shows, a PEM file."),
            key: file("Its private key, a PEM file."),
            [serverName]: t.Optional(
              t.String({
                minLength: 1,
                description: "The name in the server's certificate. Default: the host.",
              }),
            ),
          },
          { dependentRequired: { certificate: ["key"], key: ["certificate"] } },
        ),
      ],
      { description: "TLS: true, or the files to do it with. Default: none." },
    ),
  );
}
