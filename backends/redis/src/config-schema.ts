/** The engine's section of a node's configuration. Defaults stand in `options.ts`. */

import { t } from "@banyan/kernel";
import { tlsConfig } from "@banyan/state/internal";

export const configSchema = t.Object(
  {
    url: t.Optional(
      t.String({
        pattern: "^rediss?://[^/?#]*(?:/[0-9]*)?(?:[?#].*)?$|^unix://",
        writeOnly: true,
        description: "redis://user:password@host:6379/0, rediss:// for TLS, unix:///path.",
      }),
    ),
    cluster: t.Optional(
      t.Array(t.String({ minLength: 1 }), {
        minItems: 1,
        description: "Some members of a Cluster, host:port; instead of url.",
      }),
    ),
    username: t.Optional(t.String({ minLength: 1, description: "Default: the user default." })),
    password: t.Optional(t.String({ writeOnly: true, description: "Default: none." })),
    database: t.Optional(t.Integer({ minimum: 0, maximum: 1_000_000, description: "Default 0." })),
    keyPrefix: t.Optional(
      t.String({
        pattern: "^[A-Za-z0-9._-]{1,64}$",
        description: "What all keys begin with. Default banyan.",
      }),
    ),
    tls: tlsConfig("servername"),
    commandTimeoutMs: t.Optional(
      t.Integer({
        minimum: 10,
        maximum: 600_000,
        description: "How long a request may take in all. Default 5000.",
      }),
    ),
    connectTimeoutMs: t.Optional(
      t.Integer({
        minimum: 10,
        maximum: 600_000,
        description: "How long a start waits for the server. Default 10 000.",
      }),
    ),
    requestsWaitingMax: t.Optional(
      t.Integer({
        minimum: 1,
        maximum: 10_000_000,
        description: "Requests of a connection that wait; one more is refused. Default 100 000.",
      }),
    ),
    sweepIntervalMs: t.Optional(
      t.Integer({
        minimum: 100,
        maximum: 86_400_000,
        description: "Pause between two sweeps of the indexes. Default 30 000.",
      }),
    ),
  },
  {
    description: "Redis, where an engine of that name keeps stores.",
    // A Cluster has many servers and one database.
    if: { required: ["cluster"] },
    // oxlint-disable-next-line unicorn/no-thenable -- the JSON Schema keyword
    then: { properties: { url: false, database: false } },
  },
);
