/**
 * What an order desk must do, as tests that only use its public operations. They run on one node in
 * memory and on one that keeps a file and is killed; the same suite is meant for a fleet.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createSeededRandom, systemClock, systemIds } from "@banyan/kernel";
import type { AnyContract, Client } from "@banyan/kernel";
import { catalogue } from "./catalogue.contract.ts";
import { piecesOf, placeOrders } from "./load.ts";
import type { LoadReport } from "./load.ts";
import { orders } from "./orders.contract.ts";
import { stock } from "./stock.contract.ts";

/** A running order desk, wherever it runs. */
export interface Desk extends AsyncDisposable {
  /** A client that may do everything: internal operations too. */
  client<C extends AnyContract>(contract: C): Client<C>;
  /** Every message published from the first frame, `live`, on: what `node.events.tail` streams. */
  tail?(): AsyncIterable<TailFrame>;
  /** Ends it without warning, as a power cut does to a process, and starts it on the same data. */
  crash?(): Promise<void>;
  /** The last lines that it printed, for a test that failed. */
  said?(): string;
}

export interface TailFrame {
  readonly kind: string;
  /** Of a `message`. */
  readonly topic?: string;
  readonly body?: unknown;
}

export interface DeskSuite {
  readonly name: string;
  open(): Promise<Desk>;
  /** Of the moments at which it is crashed. */
  readonly seed: number;
}

const settleTimeoutMs = 60_000;

/** One promise of the desk. */
interface DeskCheck {
  readonly name: string;
  /** What the desk must be able to do for it; without it the check is skipped. */
  readonly needs?: "tail" | "crash";
  readonly run: (desk: Desk, seed: number) => Promise<void>;
}

const checks: readonly DeskCheck[] = [
  { name: "confirms as many of 500 orders at once as there are in stock", run: sellsOut },
  { name: "takes an order once, however often it is sent under one key", run: takesOnce },
  { name: "refuses an order for an item that the catalogue does not have", run: refuses },
  { name: "keeps the price an order was placed at", run: keepsPrice },
  { name: "tells of an order by events, in their order", needs: "tail", run: tellsByEvents },
  {
    name: "settles every acknowledged order once, though it is killed again and again",
    needs: "crash",
    run: survives,
  },
  { name: "ends with a ledger in which everything adds up", run: addsUp },
];

/** Registers the suite with `node:test`. */
export function describeOrderDesk({ name, open, seed }: DeskSuite): void {
  void describe(`the order desk on ${name}`, () => {
    let desk: Desk;
    before(async () => {
      desk = await open();
    });
    after(() => desk[Symbol.asyncDispose]());
    for (const check of checks) {
      void test(check.name, async (context) => {
        const { needs } = check;
        if (needs !== undefined && desk[needs] === undefined) context.skip(`it has no ${needs}`);
        else await check.run(desk, seed);
      });
    }
  });
}

async function sellsOut(desk: Desk): Promise<void> {
  const item = await stocked(desk, { count: 200, priceCents: 350 });
  const { place } = desk.client(orders);
  const sampling = sampleLevels(desk, item);
  const placed = await Promise.all(Array.from({ length: 500 }, () => place({ item, count: 1 })));
  assert.equal(new Set(placed.map(({ id }) => id)).size, 500);
  const account = await settledAccount(desk, item);
  const lowest = await sampling.stop();
  assert.ok(lowest >= 0, `the stock was at ${lowest}`);
  assert.deepEqual(account, {
    item,
    received: 200,
    onHand: 0,
    sold: 200,
    revenueCents: 70_000,
    orders: { placed: 0, confirmed: 200, rejected: 300 },
    isSettled: true,
    differences: [],
  });
}

/** Repeats at every step: of the delivery, of the order, of the reservation. */
async function takesOnce(desk: Desk): Promise<void> {
  const item = await stocked(desk, { count: 10 });
  const { place } = desk.client(orders);
  const { receive, reserve } = desk.client(stock);
  const idempotencyKey = systemIds.uuid();
  const first = await place({ item, count: 3 }, { idempotencyKey });
  const again = await place({ item, count: 3 }, { idempotencyKey });
  assert.deepEqual(again, first);
  const repeats = Array.from({ length: 20 }, () => reserve({ orderId: first.id, item, count: 3 }));
  await Promise.all(repeats);
  const delivery = { idempotencyKey: systemIds.uuid() };
  await receive({ item, count: 5 }, delivery);
  await receive({ item, count: 5 }, delivery);
  const account = await settledAccount(desk, item);
  assert.deepEqual([account.received, account.onHand, account.sold], [15, 12, 3]);
  assert.deepEqual(account.orders, { placed: 0, confirmed: 1, rejected: 0 });
}

async function refuses(desk: Desk): Promise<void> {
  const placing = desk.client(orders).place({ item: "no-such-thing", count: 1 });
  await assert.rejects(placing, { code: "ORDERS_ITEM_UNKNOWN", kind: "not_found" });
  const { items } = await desk.client(orders).ledger({});
  assert.ok(items.every(({ item }) => item !== "no-such-thing"));
}

async function keepsPrice(desk: Desk): Promise<void> {
  const item = await stocked(desk, { count: 10, priceCents: 100 });
  const { place, get } = desk.client(orders);
  const before = await place({ item, count: 2 });
  await desk.client(catalogue).put({ id: item, name: "dearer", priceCents: 999 });
  const after = await place({ item, count: 1 });
  const account = await settledAccount(desk, item);
  assert.equal(account.revenueCents, 2 * 100 + 999);
  const prices = [await get({ id: before.id }), await get({ id: after.id })];
  assert.deepEqual(
    prices.map(({ priceCents, status }) => [priceCents, status]),
    [
      [100, "confirmed"],
      [999, "confirmed"],
    ],
  );
}

async function tellsByEvents(desk: Desk): Promise<void> {
  const item = await stocked(desk, { count: 1 });
  const seen = new Map<string, string[]>();
  const ids: string[] = [];
  for await (const { kind, topic = "", body } of desk.tail?.() ?? []) {
    if (kind === "live") {
      for (const _ of ["one", "other"]) {
        ids.push((await desk.client(orders).place({ item, count: 1 })).id);
      }
      continue;
    }
    const id = orderIdOf(body);
    seen.set(id, [...(seen.get(id) ?? []), topic]);
    if (ids.every((each) => seen.get(each)?.length === 2)) break;
  }
  // The two are decided side by side: which of them gets the piece is open, that one does is not.
  assert.deepEqual(ids.map((id) => (seen.get(id) ?? []).join(" ")).sort(), [
    "orders.placed stock.refused",
    "orders.placed stock.reserved",
  ]);
}

function orderIdOf(body: unknown): string {
  const found = typeof body === "object" && body !== null && "orderId" in body ? body.orderId : "";
  return typeof found === "string" ? found : "";
}

const crashes = 5;
/** Less than the runner's limit of a test, which could not say what it waited for. */
const survivesMs = 110_000;

/** Two loads: of an item that there is enough of, and of one that runs out. */
async function survives(desk: Desk, seed: number): Promise<void> {
  const random = createSeededRandom(seed);
  let crashed = 0;
  let repeated: unknown;
  const over = new AbortController();
  const loads = [100_000, 50].map(async (received) => {
    const item = await stocked(desk, { count: received, priceCents: 5 });
    const report = await placeOrders({
      orders: desk.client(orders),
      item,
      clients: 8,
      goesOn: (begun) => crashed < crashes || begun < 100,
      keyPrefix: systemIds.uuid(),
      clock: systemClock,
      onRepeat: (error) => {
        repeated = error;
      },
      signal: over.signal,
    });
    return { item, received, acknowledged: report.acknowledged };
  });
  for (const load of loads) load.catch(() => undefined); // told below
  const work = async (): Promise<void> => {
    while (crashed < crashes) {
      await systemClock.sleep(50 + random.next() * 450);
      await desk.crash?.();
      crashed += 1;
    }
    for (const load of loads) await accountsFor(desk, await load);
  };
  const late = async (): Promise<never> => {
    await systemClock.sleep(survivesMs, over);
    const why = `it was asked again last since: ${String(repeated)}\n${desk.said?.() ?? ""}`;
    throw new Error(`not settled after ${crashed} of ${crashes} crashes; ${why}`);
  };
  try {
    await Promise.race([work(), late()]);
  } finally {
    // Where a desk did not come back nobody may ask it for ever.
    over.abort();
  }
}

export interface Survived {
  readonly item: string;
  readonly received: number;
  readonly acknowledged: LoadReport["acknowledged"];
}

/** Nothing that was acknowledged is lost, nothing else was sold, and nothing counts twice. */
export async function accountsFor(
  desk: Desk,
  { item, received, acknowledged }: Survived,
): Promise<void> {
  const account = await settledAccount(desk, item);
  const { get } = desk.client(orders);
  const pieces = { placed: 0, confirmed: 0, rejected: 0 };
  for (const [key, { id, count }] of acknowledged) {
    const order = await get({ id });
    assert.equal(order.count, piecesOf(Number(key.slice(key.lastIndexOf("-") + 1))));
    pieces[order.status] += count;
  }
  const ids = new Set([...acknowledged.values()].map(({ id }) => id));
  const { confirmed, rejected } = account.orders;
  assert.deepEqual([ids.size, confirmed + rejected], [acknowledged.size, acknowledged.size]);
  assert.deepEqual([pieces.placed, pieces.confirmed], [0, account.sold]);
  assert.equal(account.onHand + account.sold, received);
  assert.equal(account.revenueCents, account.sold * 5);
}

async function addsUp(desk: Desk): Promise<void> {
  const { items, isSettled, isConsistent } = await desk.client(orders).ledger({});
  assert.deepEqual(
    items.flatMap(({ differences }) => differences),
    [],
  );
  assert.deepEqual([isSettled, isConsistent], [true, true]);
}

interface Shelf {
  readonly count: number;
  readonly priceCents?: number;
}

/** A new item with this many in stock; its id. */
export async function stocked(desk: Desk, { count, priceCents = 100 }: Shelf): Promise<string> {
  const item = `item-${systemIds.uuid()}`;
  await desk.client(catalogue).put({ id: item, name: item, priceCents });
  await desk.client(stock).receive({ item, count });
  return item;
}

type Ledger = Awaited<ReturnType<Client<typeof orders>["ledger"]>>;

/** The item's line in the ledger, once no order of it waits for an answer. */
async function settledAccount(desk: Desk, item: string): Promise<Ledger["items"][number]> {
  const untilMs = systemClock.monotonicMs() + settleTimeoutMs;
  for (;;) {
    const { items } = await desk.client(orders).ledger({});
    const account = items.find((each) => each.item === item);
    if (account !== undefined) {
      assert.deepEqual(account.differences, [], "the ledger adds up at every moment");
      if (account.isSettled) return account;
    }
    const waiting = `orders of ${item} still wait: ${JSON.stringify(account)}`;
    assert.ok(systemClock.monotonicMs() < untilMs, waiting);
    await systemClock.sleep(50);
  }
}

/** Looks at the stock again and again, and remembers the lowest it was. */
function sampleLevels(desk: Desk, item: string): { stop(): Promise<number> } {
  const { level } = desk.client(stock);
  let isSampling = true;
  let lowest = Infinity;
  const sample = async (): Promise<void> => {
    while (isSampling) {
      lowest = Math.min(lowest, (await level({ item })).onHand);
      await systemClock.sleep(2);
    }
  };
  const sampling = sample();
  return {
    async stop() {
      isSampling = false;
      await sampling;
      return lowest;
    },
  };
}
