/**
 * The order desk on servers, by configuration alone: durable stores on PostgreSQL or MariaDB,
 * ephemeral ones on Redis, and what its transactions publish by the outbox: to the node's own bus,
 * or to RabbitMQ.
 */

import {
  findReasonToSkip,
  mariadbPrograms,
  openMariadb,
  openPostgres,
  openRabbitmq,
  openRedisServer,
  postgresPrograms,
  rabbitmqPrograms,
  redisPrograms,
  seedOf,
} from "@banyan/testbed";
import { test } from "node:test";
import { openCommand } from "./command-desk.test.ts";
import { describeOrderDesk } from "./end-to-end.ts";
import type { Desk } from "./end-to-end.ts";

interface Server extends AsyncDisposable {
  readonly section: Readonly<Record<string, unknown>>;
}

/** A desk and the servers that it is alone on. */
async function openOnServers(durable: string, database: Server, bus?: Server): Promise<Desk> {
  const redis = await openRedisServer({ listen: "tcp" });
  const { section } = database;
  const desk = await openCommand({
    engines: { durable, ephemeral: "redis", ...(bus === undefined ? {} : { bus: "rabbitmq" }) },
    [durable]: section,
    redis: { url: redis.url },
    ...(bus === undefined ? {} : { rabbitmq: bus.section }),
    outbox: { leaseMs: 1000, pollMs: 200 },
  });
  return {
    client: (contract) => desk.client(contract),
    tail: () => desk.tail(),
    crash: () => desk.crash(),
    said: () => desk.said(),
    async [Symbol.asyncDispose]() {
      await desk[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await bus?.[Symbol.asyncDispose]();
    },
  };
}

const seed = seedOf();
const noRedis = await findReasonToSkip(redisPrograms);

interface ServersOf {
  readonly skip: string | false;
  open(): Promise<Server>;
  /** Left out: the node's own bus. */
  openBus?(): Promise<Server>;
}

async function describeOn(
  name: string,
  durable: string,
  { skip, open, openBus }: ServersOf,
): Promise<void> {
  if (skip === false) {
    const openDesk = async (): Promise<Desk> =>
      openOnServers(durable, await open(), await openBus?.());
    describeOrderDesk({ name, open: openDesk, seed });
  } else await test(`the order desk on ${name}`, { skip }, () => undefined);
}

async function openByUrl(opening: Promise<AsyncDisposable & { url: string }>): Promise<Server> {
  const server = await opening;
  return {
    section: { url: server.url },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

await describeOn("PostgreSQL and Redis", "postgres", {
  skip: noRedis || (await findReasonToSkip(postgresPrograms)),
  open: () => openByUrl(openPostgres()),
});

await describeOn("PostgreSQL, Redis and RabbitMQ", "postgres", {
  skip:
    noRedis ||
    (await findReasonToSkip(postgresPrograms)) ||
    (await findReasonToSkip(rabbitmqPrograms)),
  open: () => openByUrl(openPostgres()),
  openBus: () => openByUrl(openRabbitmq()),
});

await describeOn("MariaDB and Redis", "mysql", {
  skip: noRedis || (await findReasonToSkip(mariadbPrograms)),
  async open() {
    const server = await openMariadb();
    const { host, port, user, password, database } = server;
    return {
      section: { host, port, user, password, database },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
});
