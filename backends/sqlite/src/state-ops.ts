/** The writes of stores, as the writer thread does them. */

import type { OpContext, OpShape, OpTable } from "./op-context.ts";
import { plainSets, reads, revisedSets, writes } from "./state-sql.ts";
import type { SetSql } from "./state-sql.ts";

/** Wall clock in ms, `null` for never, or as it stands. */
export type StoredExpiry = number | null | "keep";

/** `""`: no condition; `"absent"`: nothing may be there; else `=` and the etag that must stand. */
export type StoredCondition = string;

type StateOpen = readonly [name: "stateOpen", scope: string, name: string];
export type StateSet = readonly [
  name: "stateSet",
  store: number,
  /** Keeps revisions. */
  revised: boolean,
  /** Wall clock of the engine: the file has no time of its own. */
  now: number,
  key: string,
  value: string,
  etag: string,
  version: number,
  expiry: StoredExpiry,
  condition: StoredCondition,
];
export type StateDelete = readonly [
  name: "stateDelete",
  store: number,
  now: number,
  key: string,
  condition: StoredCondition,
];

/** What is read and insisted on: `null` for a key that was not there. */
export type StoredCheck = readonly [store: number, key: string, etag: string | null];

export type StateOp =
  /** Answers the store's id. */
  | StateOpen
  /** Answers how many rows were written: 0 where the condition does not hold. */
  | StateSet
  /** Answers how many rows were removed. */
  | StateDelete
  /** Keys as a JSON list; answers how many rows were removed. */
  | readonly [name: "stateDeleteMany", store: number, now: number, keys: string]
  /** Several at once, unconditional. */
  | readonly [name: "stateBatch", ops: readonly (StateSet | StateDelete)[]]
  /**
   * Answers whether every check held; then `ops` and what rides with them were done, else nothing.
   */
  | readonly [
      name: "stateTransact",
      now: number,
      checks: readonly StoredCheck[],
      ops: readonly OpShape[],
    ]
  /** Removes up to `limit` dead rows; answers how many. */
  | readonly [name: "stateSweep", now: number, limit: number]
  /** Writes something that changes nothing: whether the disk takes it. */
  | readonly [name: "stateProbe"];

export const stateOps: OpTable<StateOp> = {
  stateOpen(context, [, scope, name]) {
    context.run(writes.openStore, scope, name);
    return context.get(reads.storeId, scope, name)?.[0];
  },
  stateSet: setEntry,
  stateDelete(context, [, store, now, key, condition]) {
    return condition === ""
      ? context.run(writes.delete, store, key, now)
      : context.run(writes.deleteMatching, store, key, now, condition.slice(1));
  },
  stateDeleteMany: (context, [, store, now, keys]) =>
    context.run(writes.deleteMany, store, keys, now),
  stateBatch(context, [, ops]) {
    for (const op of ops) context.do(op);
    return ops.length;
  },
  stateTransact(context, [, now, checks, ops]) {
    for (const [store, key, etag] of checks) {
      if ((context.get(reads.etag, store, key, now)?.[0] ?? null) !== etag) return false;
    }
    for (const op of ops) context.do(op);
    return true;
  },
  stateSweep: (context, [, now, limit]) => context.run(writes.sweep, now, limit),
  stateProbe(context) {
    // As much as a usual group of writes: a disk with room for one page is still full.
    return context.run("INSERT OR REPLACE INTO probe (id, filler) VALUES (1, zeroblob(65536))");
  },
};

function setEntry(context: OpContext, op: StateSet): number {
  const [, store, revised, now, key, value, etag, version, expiry, condition] = op;
  const sql: SetSql = revised ? revisedSets : plainSets;
  const keeps = expiry === "keep";
  const expiresAt = keeps ? null : expiry;
  if (condition === "" || condition === "absent") {
    const text = condition === "absent" ? sql.create : keeps ? sql.setKeeping : sql.set;
    // The one statement that has no use for the time, and takes no value without a use.
    if (text === plainSets.set)
      return context.run(text, store, key, value, etag, version, expiresAt);
    return context.run(text, store, key, value, etag, version, expiresAt, now);
  }
  const text = keeps ? sql.replaceKeeping : sql.replace;
  return context.run(text, store, key, value, etag, version, expiresAt, now, condition.slice(1));
}
