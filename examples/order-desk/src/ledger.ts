/**
 * The ledger: orders, sales and stock held against each other.
 *
 * The three are read one after the other while orders go on, so the orders are tallied twice,
 * before and after the rest. What was confirmed before must have been sold and handed out by then;
 * what was sold or handed out must have its order afterwards. Once nothing moves, both bounds are
 * one number.
 */

import { isDeepStrictEqual } from "node:util";
import type { Static } from "@banyan/kernel";
import type { orders } from "./orders.contract.ts";
import type { stock } from "./stock.contract.ts";

type Order = Static<typeof orders.spec.stores.orders.value>;
type Sales = Static<typeof orders.spec.stores.sales.value>;
type Level = Static<typeof stock.spec.stores.levels.value>;
type Ledger = Static<typeof orders.spec.operations.ledger.response>;
type Account = Ledger["items"][number];

/** The orders of one item: how many of each status, and for how many pieces and cents. */
interface Tally {
  readonly orders: Record<Order["status"], number>;
  readonly pieces: Record<Order["status"], number>;
  confirmedCents: number;
}

export type Tallies = ReadonlyMap<string, Tally>;

export async function tallyByItem(orders: AsyncIterable<Order>): Promise<Tallies> {
  const tallies = new Map<string, Tally>();
  for await (const { item, count, priceCents, status } of orders) {
    const tally = tallies.get(item) ?? emptyTally();
    tallies.set(item, tally);
    tally.orders[status] += 1;
    tally.pieces[status] += count;
    if (status === "confirmed") tally.confirmedCents += count * priceCents;
  }
  return tallies;
}

export interface LedgerInput {
  /** Tallied before levels and sales were read, and after. */
  readonly before: Tallies;
  readonly levels: readonly Level[];
  readonly sales: readonly Sales[];
  readonly after: Tallies;
}

export function drawLedger(input: LedgerInput): Ledger {
  const { before, levels, sales, after } = input;
  const named = [...levels, ...sales].map(({ item }) => item);
  const names = [...new Set([...named, ...after.keys()])].sort();
  const levelOf = new Map(levels.map((level) => [level.item, level]));
  const salesOf = new Map(sales.map((sold) => [sold.item, sold]));
  const items = names.map((item) =>
    accountOf(item, {
      ...(levelOf.get(item) ?? { received: 0, onHand: 0 }),
      ...(salesOf.get(item) ?? { count: 0, cents: 0 }),
      first: before.get(item) ?? emptyTally(),
      last: after.get(item) ?? emptyTally(),
    }),
  );
  return {
    items,
    isSettled: items.every((account) => account.isSettled),
    isConsistent: items.every(({ differences }) => differences.length === 0),
  };
}

interface Readings {
  readonly received: number;
  readonly onHand: number;
  /** Sold, in pieces and cents. */
  readonly count: number;
  readonly cents: number;
  readonly first: Tally;
  readonly last: Tally;
}

function accountOf(item: string, readings: Readings): Account {
  const { received, onHand, count: sold, cents: revenueCents, first, last } = readings;
  const { confirmed, placed } = last.pieces;
  const bounds = [
    ["sold", sold, first.pieces.confirmed, confirmed],
    ["revenue in cents", revenueCents, first.confirmedCents, last.confirmedCents],
    ["handed out", received - onHand, first.pieces.confirmed, confirmed + placed],
  ] as const; // as written: rows of a name and three numbers
  const differences = bounds.flatMap(([what, value, least, most]) => {
    if (value >= least && value <= most) return [];
    const wanted = least === most ? `${least}` : `${least} to ${most}`;
    return [`${what}: ${value}, by the orders ${wanted}`];
  });
  const orders = { ...last.orders };
  return {
    item,
    received,
    onHand,
    sold,
    revenueCents,
    orders,
    isSettled: placed === 0 && isDeepStrictEqual(first, last),
    differences,
  };
}

function emptyTally(): Tally {
  return {
    orders: { placed: 0, confirmed: 0, rejected: 0 },
    pieces: { placed: 0, confirmed: 0, rejected: 0 },
    confirmedCents: 0,
  };
}
