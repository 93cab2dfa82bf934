/** The bus's section of a node's configuration. Defaults stand in `options.ts`. */

import { t } from "@banyan/kernel";
import { tlsConfig } from "@banyan/state/internal";

const number = (minimum: number, maximum: number, description: string) =>
  t.Optional(t.Integer({ minimum, maximum, description }));

export const configSchema = t.Object(
  {
    url: t.Optional(
      t.String({
        pattern: "^amqps?://[^?#]*$",
        writeOnly: true,
        description: "amqp://user:password@host:5672/vhost, amqps:// for TLS.",
      }),
    ),
    hosts: t.Optional(
      t.Array(t.String({ minLength: 1 }), {
        minItems: 1,
        description: "Members of a cluster, host:port, tried in turn. Default: the url's.",
      }),
    ),
    username: t.Optional(t.String({ minLength: 1, description: "Default guest." })),
    password: t.Optional(t.String({ writeOnly: true, description: "Default guest." })),
    vhost: t.Optional(t.String({ minLength: 1, description: "Default /." })),
    tls: tlsConfig("serverName"),
    format: t.Optional(
      t.Union([t.Literal("plain"), t.Literal("cloudevents")], {
        description: "Of what is published; both are read. Default plain.",
      }),
    ),
    namespace: t.Optional(
      t.String({
        pattern: "^[A-Za-z0-9_-]{1,32}$",
        description: "What all names of exchanges and queues begin with. Default banyan.",
      }),
    ),
    queueType: t.Optional(
      t.Union([t.Literal("quorum"), t.Literal("classic")], {
        description: "Of groups and dead letters that are new. Default quorum.",
      }),
    ),
    priorities: t.Optional(
      t.Boolean({
        description:
          "Messages may have a priority: with queueType classic, of groups that are new. Default false.",
      }),
    ),
    connectTimeoutMs: number(10, 600_000, "How long a start waits for the server. Default 10 000."),
    heartbeatS: number(1, 600, "Seconds between heartbeats. Default 5."),
    bufferMax: number(1, 1_000_000, "Messages that a group holds. Default 1 000 000."),
    bodySizeMax: number(1, 67_108_864, "Characters of a body. Default 1 048 576."),
    publishTimeoutMs: number(
      0,
      3_600_000,
      "How long a publish waits: for room, the server, its confirm. Default 5000.",
    ),
    deadLettersMax: number(1, 1_000_000, "Of each subscription. Default 100 000."),
    deadLettersMaxAgeMs: number(
      1000,
      2_592_000_000,
      "After which one is dropped, of new subscriptions. Default: never.",
    ),
    outboundMax: number(
      1,
      10_000_000,
      "Messages that wait for the server; at 80 % no more are taken. Default 500 000.",
    ),
    outboundBytesMax: number(1024, 8_589_934_592, "Bytes of them. Default 268 435 456."),
    outboundAgeMaxMs: number(
      1000,
      86_400_000,
      "Age of the oldest past which no more are taken. Default 600 000.",
    ),
    broadcastKeptMs: number(
      1000,
      86_400_000,
      "How long a broadcast is kept for a process that is away. Default 60 000.",
    ),
    outboundPolicy: t.Optional(
      t.Union([t.Literal("refuse"), t.Literal("stop")], {
        description:
          "When the oldest is too old, or for as long no more were let in or none was taken: go on " +
          "refusing, or end the node for its supervisor to start it again. Default refuse.",
      }),
    ),
    partitions: number(1, 64, "Of an ordered group that is new. Default 8."),
  },
  { description: "RabbitMQ, where an engine of that name carries events." },
);
