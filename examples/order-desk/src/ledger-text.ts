/** The ledger as people read it. */

import type { Static } from "@banyan/kernel";
import type { orders } from "./orders.contract.ts";

type Ledger = Static<typeof orders.spec.operations.ledger.response>;

const titles = [
  "ITEM",
  "RECEIVED",
  "ON HAND",
  "SOLD",
  "REVENUE",
  "PLACED",
  "CONFIRMED",
  "REJECTED",
];

/** A table, what does not add up, and the verdict. */
export function ledgerText({ items, isConsistent, isSettled }: Ledger): string {
  const rows = items.map(({ item, received, onHand, sold, revenueCents, orders: counts }) => [
    item,
    ...[received, onHand, sold].map(String),
    (revenueCents / 100).toFixed(2),
    ...[counts.placed, counts.confirmed, counts.rejected].map(String),
  ]);
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  const differences = items.flatMap(({ item, differences: each }) =>
    each.map((difference) => `✖ ${item}: ${difference}`),
  );
  const rest = isSettled ? "every order is settled" : "some orders are on their way";
  const verdict = isConsistent ? `✔ consistent; ${rest}` : `✖ not consistent; ${rest}`;
  return `${[titles, ...rows].map(line).concat(differences, verdict).join("\n")}\n`;
}
