/**
 * What each contestant of the area promises, as it is measured: what a figure stands for.
 *
 * Read in the sources of the versions that are pinned, and held by nobody but us: corrections are
 * welcome.
 */

import type { Guarantee } from "../result.ts";

const rabbitmqKeeps = "yes: durable exchange and queue, persistent messages";

/** By name in the table; the names of subjects are in `contestants.ts`. */
export const guarantees = {
  ours: {
    name: "ours",
    confirmed: "yes, by the broker",
    durable: rabbitmqKeeps,
    redelivered: "yes",
    retries: "yes: counted, with a backoff that waits in the broker",
    deadLetters: "yes: listed, redriven, discarded",
    publishing: "same",
    handling: "same",
  },
  raw: {
    name: "amqplib",
    confirmed: "yes, by the broker",
    durable: rabbitmqKeeps,
    redelivered: "yes",
    retries: "no: by hand",
    deadLetters: "no: by hand",
    publishing: "same",
    handling: "less",
  },
  nest: {
    name: "NestJS RMQ, persistent, noAck: false",
    confirmed: "yes, by the broker (amqp-connection-manager's channels confirm)",
    durable: `${rabbitmqKeeps}; as it comes messages are not persistent`,
    redelivered: "yes; as it comes (noAck: true) no",
    retries: "no: the handler acknowledges and rejects by hand",
    deadLetters: "no: arguments of the queue, by hand",
    publishing: "same",
    handling: "less",
  },
  moleculer: {
    name: "Moleculer AMQP, persistent, disableBalancer",
    confirmed: "no: an emit resolves when its bytes are in the socket's buffer",
    durable: `${rabbitmqKeeps}; as it comes neither messages nor idle queues are kept`,
    redelivered: "yes, with disableBalancer; as it comes (noAck) no",
    retries: "no: an event whose handler failed is acknowledged",
    deadLetters: "no",
    publishing: "less",
    handling: "less",
  },
  bullmq: {
    name: "BullMQ, Redis as it comes",
    confirmed: "yes, by Redis, which has it in memory",
    durable: "no: what came after the last snapshot dies with the server",
    redelivered: "yes, once its lock is over (30 s)",
    retries: "yes, with a backoff",
    deadLetters: "yes: the set of failed jobs",
    publishing: "less",
    handling: "less",
  },
  bullmqAlways: {
    name: "BullMQ, Redis with appendfsync always",
    confirmed: "yes, by Redis, once it is on disk",
    durable: "yes",
    redelivered: "yes, once its lock is over (30 s)",
    retries: "yes, with a backoff",
    deadLetters: "yes: the set of failed jobs",
    publishing: "same",
    handling: "same",
  },
} as const satisfies Readonly<Record<string, Guarantee>>;
