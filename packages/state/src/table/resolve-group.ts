/**
 * What a group of writes makes of the rows that stand: each write in its order, all or none. Pure:
 * the rows are locked, so what is decided here is still so when it is written.
 *
 * G1. A write sees what those before it in the group leave behind.
 * G2. A write whose check does not hold changes nothing, and the others never notice it.
 * G3. What a write leaves in the outbox is left if its checks hold, in the order of the writes.
 * G4. Of several writes to a key only what the last one leaves is written.
 */

import type { Etag } from "@banyan/kernel";
import type { StandingRow, TableChanges, TableKey, TableRow } from "./table-database.ts";
import type { TableOp, TableOutcome, TableSet } from "./table-op.ts";

/** What stands for a key, in the table or by the writes so far. */
interface Standing extends TableKey {
  readonly isInTable: boolean;
  /** `undefined`: nothing is there, or will be. */
  row: StandingRow | undefined;
  /** Whether `row` differs from the table. */
  isChanged: boolean;
}

export interface ResolvedGroup {
  /** One for each write, in their order. */
  readonly outcomes: readonly TableOutcome[];
  readonly changes: TableChanges;
}

/** Every key that the writes check or change, once. */
export function keysOf(ops: readonly TableOp[]): readonly TableKey[] {
  const keys = new Map<string, TableKey>();
  for (const { checks, changes } of ops) {
    for (const { store, key } of checks) keys.set(idOf(store, key), { store, key });
    for (const { store, key } of changes) keys.set(idOf(store, key), { store, key });
  }
  return [...keys.values()];
}

export function resolveGroup(ops: readonly TableOp[], rows: readonly StandingRow[]): ResolvedGroup {
  const all = new Map<string, Standing>();
  for (const row of rows) {
    const { store, key } = row;
    all.set(idOf(store, key), { store, key, isInTable: true, row, isChanged: false });
  }
  const outcomes = ops.map((op) => resolve(op, all));
  const letters = ops.flatMap(({ letters: left = [] }, at) =>
    outcomes[at]?.kind === "done" ? left : [],
  );
  return { outcomes, changes: { ...changesOf(all.values()), letters } };
}

function resolve({ now, checks, changes }: TableOp, all: Map<string, Standing>): TableOutcome {
  for (const { store, key, etag } of checks) {
    if (liveEtag(all.get(idOf(store, key)), now) !== etag) return { kind: "conflict" };
  }
  let existed = 0;
  for (const change of changes) {
    const { store, key } = change;
    const id = idOf(store, key);
    const standing = all.get(id) ?? {
      store,
      key,
      isInTable: false,
      row: undefined,
      isChanged: false,
    };
    all.set(id, standing);
    const before = isLive(standing.row, now) ? standing.row : undefined;
    if (before !== undefined) existed += 1;
    standing.row = change.kind === "set" ? rowAfter(change, before, now) : undefined;
    standing.isChanged = true;
  }
  return { kind: "done", existed };
}

/** As `nextRevision` of the contract, over columns that may be empty. */
function rowAfter(set: TableSet, before: StandingRow | undefined, now: number): TableRow {
  const { store, key, value, etag, version, expiresAt, isRevised } = set;
  const kept = expiresAt === "keep" ? (before?.expiresAt ?? null) : expiresAt;
  const row = { store, key, value, etag, version, expiresAt: kept };
  if (!isRevised) {
    // Nobody asks for it now; what was counted before stays as it is.
    const { revision = null, createdAt = null, updatedAt = null } = before ?? {};
    return { ...row, revision, createdAt, updatedAt };
  }
  if (before === undefined) return { ...row, revision: 1, createdAt: now, updatedAt: now };
  const { revision, createdAt } = before;
  return { ...row, revision: (revision ?? 1) + 1, createdAt: createdAt ?? 0, updatedAt: now };
}

function changesOf(all: Iterable<Standing>): Omit<TableChanges, "letters"> {
  const inserts: TableRow[] = [];
  const updates: TableRow[] = [];
  const deletes: TableKey[] = [];
  for (const { store, key, isInTable, row, isChanged } of all) {
    if (!isChanged) continue;
    if (row === undefined) {
      if (isInTable) deletes.push({ store, key });
      continue;
    }
    // What was changed was made by `rowAfter`.
    (isInTable ? updates : inserts).push(row as TableRow);
  }
  return { inserts, updates, deletes };
}

function liveEtag(standing: Standing | undefined, now: number): Etag | undefined {
  return isLive(standing?.row, now) ? standing?.row?.etag : undefined;
}

/** E5 of the contract. */
export function isLive(row: Pick<StandingRow, "expiresAt"> | undefined, now: number): boolean {
  return row !== undefined && (row.expiresAt === null || now < row.expiresAt);
}

/** A name for a key among those of all stores. */
export function idOf(store: number, key: string): string {
  return `${store} ${key}`;
}
