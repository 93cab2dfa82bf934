/**
 * The writes of the outbox, as the writer thread does them, and its part of the file.
 *
 * B1. An id is never used twice, also when no row is left: who has one told may still remember it.
 * B2. A row is free while nobody's lease on it runs. One that would end later than any lease can
 *     was given before the clock was set back, and is over.
 */

import type { OpContext, OpTable } from "./op-context.ts";

/** What transactions leave behind for a relay; they do it as one of their writes. */
export type OutboxAdd = readonly [
  name: "outboxAdd",
  by: string,
  heldUntil: number,
  loads: readonly string[],
];

/** `reach`: no lease ends later. Answers rows of `ClaimedRow`, the oldest first. */
type OutboxClaim = readonly [
  name: "outboxClaim",
  by: string,
  now: number,
  reach: number,
  heldUntil: number,
  limit: number,
];

export type OutboxOp =
  | OutboxAdd
  | OutboxClaim
  | readonly [name: "outboxRemove", ids: readonly number[]]
  | readonly [name: "outboxRelease", by: string]
  | readonly [name: "outboxSetAside", id: number, reason: string];

export type ClaimedRow = readonly [id: number, load: string];

/**
 * A step of `migrations.ts`. Small columns come first, the load last: a lease is renewed without
 * writing the pages of a long load again. What waits is found in an index of its own, however much
 * lies aside or is held by a process that is no more.
 */
export const outboxSchema = `
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    held_by TEXT NOT NULL,
    held_until REAL NOT NULL,
    aside TEXT,
    load TEXT NOT NULL
  ) STRICT;
  CREATE INDEX outbox_waiting ON outbox (id, held_by, held_until) WHERE aside IS NULL;
  CREATE INDEX outbox_aside ON outbox (id) WHERE aside IS NOT NULL;`;

const waiting = "FROM outbox INDEXED BY outbox_waiting WHERE aside IS NULL";
/** by, now, reach */
const isClaimable = "(held_by = ? OR held_until <= ? OR held_until > ?)";

export const outboxReads = Object.freeze({
  /** by, now, reach, rows: whether one of the oldest is claimable, and how many were looked at. */
  claimable: `
    SELECT max${isClaimable}, count(*)
    FROM (SELECT held_by, held_until ${waiting} ORDER BY id LIMIT ?)`,
  /** rows; the same for both */
  countSome: `
    SELECT (SELECT count(*) FROM (SELECT 1 ${waiting} LIMIT ?1)),
      (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE aside IS NOT NULL LIMIT ?1))`,
  count: `
    SELECT (SELECT count(*) ${waiting}),
      (SELECT count(*) FROM outbox WHERE aside IS NOT NULL)`,
  any: "SELECT 1 FROM outbox LIMIT 1",
});

const sql = {
  add: "INSERT INTO outbox (held_by, held_until, load) VALUES (?, ?, ?)",
  claimable: `SELECT id, load ${waiting} AND ${isClaimable} ORDER BY id LIMIT ?`,
  hold: "UPDATE outbox SET held_by = ?, held_until = ? WHERE id = ?",
  remove: "DELETE FROM outbox WHERE id = ?",
  release: "UPDATE outbox SET held_until = 0 WHERE held_by = ? AND held_until > 0",
  setAside: "UPDATE outbox SET aside = ? WHERE id = ?",
};

export const outboxOps: OpTable<OutboxOp> = {
  outboxAdd(context, [, by, heldUntil, loads]) {
    for (const load of loads) context.run(sql.add, by, heldUntil, load);
  },
  outboxClaim: claim,
  outboxRemove(context, [, ids]) {
    for (const id of ids) context.run(sql.remove, id);
  },
  outboxRelease: (context, [, by]) => context.run(sql.release, by),
  outboxSetAside: (context, [, id, reason]) => context.run(sql.setAside, reason, id),
};

function claim(context: OpContext, op: OutboxClaim): readonly ClaimedRow[] {
  const [, by, now, reach, heldUntil, limit] = op;
  const found = context.all(sql.claimable, by, now, reach, limit);
  // The statement's columns, and the table is STRICT.
  const rows = found as readonly unknown[] as readonly ClaimedRow[];
  for (const [id] of rows) context.run(sql.hold, by, heldUntil, id);
  return rows;
}
