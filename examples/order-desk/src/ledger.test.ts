import assert from "node:assert/strict";
import { test } from "node:test";
import { drawLedger, tallyByItem } from "./ledger.ts";
import { ledgerText } from "./ledger-text.ts";

const placedAt = "2026-01-01T00:00:00.000Z";

type Status = "placed" | "confirmed" | "rejected";

/** Orders of one piece of tea at 250 cents, one for each status. */
async function* ordersOf(...statuses: Status[]) {
  for (const [index, status] of statuses.entries()) {
    yield { id: `order-${index}`, item: "tea", count: 1, priceCents: 250, status, placedAt };
  }
}

const stockOf = (received: number, onHand: number) => [{ item: "tea", received, onHand }];
const salesOf = (count: number, cents: number) => [{ item: "tea", count, cents }];

test("a ledger in which orders, sales and stock agree is consistent", async () => {
  const after = await tallyByItem(ordersOf("confirmed", "confirmed", "rejected"));
  const levels = stockOf(5, 3);
  const ledger = drawLedger({ before: after, levels, sales: salesOf(2, 500), after });
  assert.deepEqual([ledger.isSettled, ledger.isConsistent], [true, true]);
  assert.match(ledgerText(ledger), /^tea +5 +3 +2 +5\.00 +0 +2 +1$/m);
  assert.match(ledgerText(ledger), /✔ consistent; every order is settled\n$/);
});

test("an order on its way may or may not have been handed out yet", async () => {
  const after = await tallyByItem(ordersOf("confirmed", "placed"));
  for (const onHand of [3, 4]) {
    const levels = stockOf(5, onHand);
    const ledger = drawLedger({ before: after, levels, sales: salesOf(1, 250), after });
    assert.deepEqual([ledger.isSettled, ledger.isConsistent], [false, true]);
  }
});

test("what moved while the ledger was drawn is no difference", async () => {
  const before = await tallyByItem(ordersOf("confirmed", "placed"));
  const after = await tallyByItem(ordersOf("confirmed", "confirmed", "placed"));
  for (const sales of [salesOf(1, 250), salesOf(2, 500)]) {
    const ledger = drawLedger({ before, levels: stockOf(5, 3), sales, after });
    assert.equal(ledger.isConsistent, true, JSON.stringify(ledger));
  }
});

test("a sale counted twice and a piece that vanished are named with their numbers", async () => {
  const after = await tallyByItem(ordersOf("confirmed"));
  const levels = stockOf(5, 3);
  const ledger = drawLedger({ before: after, levels, sales: salesOf(2, 500), after });
  assert.equal(ledger.isConsistent, false);
  assert.deepEqual(ledger.items[0]?.differences, [
    "sold: 2, by the orders 1",
    "revenue in cents: 500, by the orders 250",
    "handed out: 2, by the orders 1",
  ]);
  assert.match(ledgerText(ledger), /✖ tea: sold: 2, by the orders 1\n[^]*✖ not consistent/);
});
