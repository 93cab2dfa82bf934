/**
 * The order desk as three nodes on PostgreSQL, Redis and RabbitMQ, each with one of its services:
 * the suite is that of one node, and no line of the services differs.
 */

import {
  findReasonToSkip,
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

const skip =
  (await findReasonToSkip(redisPrograms)) ||
  (await findReasonToSkip(postgresPrograms)) ||
  (await findReasonToSkip(rabbitmqPrograms));

const services = ["orders", "stock", "catalogue"] as const;

async function openFleet(): Promise<Desk> {
  const servers = new AsyncDisposableStack();
  const postgres = servers.use(await openPostgres());
  const redis = servers.use(await openRedisServer({ listen: "tcp" }));
  const rabbitmq = servers.use(await openRabbitmq());
  const configuration = {
    engines: { durable: "postgres", ephemeral: "redis", bus: "rabbitmq" },
    postgres: { url: postgres.url },
    redis: { url: redis.url },
    rabbitmq: { url: rabbitmq.url },
    outbox: { leaseMs: 1000, pollMs: 200 },
    mesh: {
      registry: "redis",
      secret: "the secret of the order desk's own test",
      heartbeatMs: 300,
    },
  };
  const nodes = await Promise.all(
    services.map(async (service) =>
      servers.use(
        await openCommand({ ...configuration, node: { id: `${service}-node` } }, [service]),
      ),
    ),
  );
  const [entrance] = nodes;
  if (entrance === undefined) throw new Error("There are three nodes.");
  let crashes = 0;
  return {
    // All at one node: what it does not run itself is reached over the mesh.
    client: (contract) => entrance.client(contract),
    tail: () => entrance.tail(),
    async crash() {
      await nodes[crashes % nodes.length]?.crash();
      crashes += 1;
    },
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

if (skip === false) {
  describeOrderDesk({ name: "three nodes", open: openFleet, seed: seedOf() });
} else test("the order desk on three nodes", { skip }, () => undefined);
