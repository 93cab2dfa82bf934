/**
 * The order desk on a server, killed at the two moments that an outbox is for: after the commit and
 * before the bus has the event, and after the bus has it and before the outbox forgets it. The
 * server holds the node there: a trigger refuses the claim, or the removal, until it is dropped.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { createSeededRandom, systemClock, systemIds } from "@banyan/kernel";
import {
  findReasonToSkip,
  mariadbPrograms,
  openMariadb,
  openPostgres,
  postgresPrograms,
  seedOf,
  until,
} from "@banyan/testbed";
import { openCommand } from "./command-desk.test.ts";
import { accountsFor, stocked } from "./end-to-end.ts";
import type { Survived } from "./end-to-end.ts";
import { piecesOf } from "./load.ts";
import { orders } from "./orders.contract.ts";

const ROUNDS = 6;
const ORDERS = 5;
const onPostgres = { skip: await findReasonToSkip(postgresPrograms) };
const onMariadb = { skip: await findReasonToSkip(mariadbPrograms) };

/** A server and what is done to its outbox. */
interface Place extends AsyncDisposable {
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Whoever does this to a row is refused. */
  hold(what: "UPDATE" | "DELETE"): Promise<unknown>;
  letGo(): Promise<unknown>;
  rows(): Promise<number>;
}

const outbox = { leaseMs: 1000, pollMs: 100 };

async function placeOnPostgres(): Promise<Place> {
  const server = await openPostgres();
  await server.ask(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'held'; END $$`);
  const table = "banyan.outbox";
  return {
    configuration: { engines: { durable: "postgres" }, postgres: { url: server.url }, outbox },
    hold: (what) =>
      server.ask(`CREATE TRIGGER held BEFORE ${what} ON ${table}
        FOR EACH ROW EXECUTE FUNCTION refuse()`),
    letGo: () => server.ask(`DROP TRIGGER held ON ${table}`),
    rows: async () => Number(await server.ask(`SELECT count(*) FROM ${table}`)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function placeOnMariadb(): Promise<Place> {
  const server = await openMariadb();
  const { host, port, user, password, database } = server;
  const table = "banyan_outbox";
  return {
    configuration: {
      engines: { durable: "mysql" },
      mysql: { host, port, user, password, database },
      outbox,
    },
    hold: (what) =>
      server.ask(`CREATE TRIGGER held BEFORE ${what} ON ${table}
        FOR EACH ROW SIGNAL SQLSTATE '45000'`),
    letGo: () => server.ask("DROP TRIGGER held"),
    rows: async () => Number(await server.ask(`SELECT COUNT(*) FROM ${table}`)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

type Desk = Awaited<ReturnType<typeof openCommand>>;
type Acknowledged = Map<string, Awaited<ReturnType<ReturnType<typeof placing>["place"]>>>;

function placing(desk: Desk) {
  return desk.client(orders);
}

/** Places some orders, each of the pieces that its number says. */
async function placeSome(desk: Desk, item: string, acknowledged: Acknowledged): Promise<void> {
  const from = acknowledged.size;
  const keys = Array.from({ length: ORDERS }, (_, n) => from + n);
  await Promise.all(
    keys.map(async (number) => {
      const idempotencyKey = systemIds.uuid();
      const order = await placing(desk).place(
        { item, count: piecesOf(number) },
        { idempotencyKey },
      );
      acknowledged.set(`order-${number}`, order);
    }),
  );
}

async function killInBetween(place: Place, context: TestContext): Promise<void> {
  const seed = seedOf();
  const random = createSeededRandom(seed);
  await using desk = await openCommand(place.configuration);
  const received = 1000;
  const item = await stocked(desk, { count: received, priceCents: 5 });
  const acknowledged: Acknowledged = new Map();
  let waiting = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await place.hold(round % 2 === 0 ? "UPDATE" : "DELETE");
    await placeSome(desk, item, acknowledged);
    await systemClock.sleep(random.next() * 50);
    await desk.kill();
    const left = await place.rows();
    assert(left >= ORDERS, `${left} rows wait for ${ORDERS} orders of a node that was killed`);
    waiting += left;
    await place.letGo();
    await desk.crash();
  }
  await accountsFor(desk, { item, received, acknowledged } satisfies Survived);
  await until(async () => (await place.rows()) === 0, { what: "The end of the outbox" });
  context.diagnostic(`seed ${seed}: ${ROUNDS} kills with ${waiting} rows in the outbox`);
}

test("orders survive kills around the relay, on PostgreSQL", onPostgres, async (context) => {
  await using place = await placeOnPostgres();
  await killInBetween(place, context);
});

test("orders survive kills around the relay, on MariaDB", onMariadb, async (context) => {
  await using place = await placeOnMariadb();
  await killInBetween(place, context);
});

test("what a killed node left in the outbox is relayed by another", onPostgres, async () => {
  await using place = await placeOnPostgres();
  await using one = await openCommand(place.configuration);
  await using other = await openCommand(place.configuration);
  const item = await stocked(one, { count: 1000, priceCents: 5 });
  const acknowledged: Acknowledged = new Map();
  await placeSome(other, item, acknowledged);
  await place.hold("UPDATE");
  await placeSome(one, item, acknowledged);
  await one.kill();
  assert((await place.rows()) >= ORDERS, "rows wait of the node that was killed");
  await place.letGo();
  // Only the other one is there to hear of them.
  await accountsFor(other, { item, received: 1000, acknowledged } satisfies Survived);
  await until(async () => (await place.rows()) === 0, { what: "The end of the outbox" });
});
