import assert from "node:assert/strict";
import { test } from "node:test";
import { keysOf, resolveGroup } from "./resolve-group.ts";
import type { StandingRow } from "./table-database.ts";
import type { TableOp, TableSet } from "./table-op.ts";

function set(key: string, etag: string, more: Partial<TableSet> = {}): TableSet {
  const value = { kind: "set", store: 1, key, value: "1", etag, version: 1 } as const;
  return { ...value, expiresAt: null, isRevised: false, ...more };
}

function op(changes: TableOp["changes"], checks: TableOp["checks"] = []): TableOp {
  return { now: 100, changes, checks };
}

function row(key: string, etag: string, more: Partial<StandingRow> = {}): StandingRow {
  const times = { expiresAt: null, revision: null, createdAt: null, updatedAt: null };
  return { store: 1, key, etag, ...times, ...more };
}

const etagsOf = (rows: readonly StandingRow[]) => rows.map(({ key, etag }) => [key, etag]);

test("of several writes to a key the last one is written, and each sees the one before", () => {
  const check = (etag: string | undefined) => [{ store: 1, key: "a", etag }];
  const ops = [
    op([set("a", "1")], check(undefined)),
    op([set("a", "2")], check("1")),
    op([set("a", "lost")], check("1")),
    op([set("a", "3")]),
  ];
  const { outcomes, changes } = resolveGroup(ops, []);
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ["done", "done", "conflict", "done"],
  );
  assert.deepEqual(etagsOf(changes.inserts), [["a", "3"]]);
  assert.deepEqual([changes.updates, changes.deletes], [[], []]);
});

test("what is there is updated or deleted, what came and went is not written at all", () => {
  const ops = [
    op([set("a", "2"), { kind: "delete", store: 1, key: "b" }]),
    op([set("c", "1")]),
    op([{ kind: "delete", store: 1, key: "c" }]),
    op([{ kind: "delete", store: 1, key: "missing" }]),
  ];
  const { outcomes, changes } = resolveGroup(ops, [row("a", "1"), row("b", "1")]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.kind === "done" && outcome.existed),
    [2, 0, 1, 0],
  );
  assert.deepEqual(etagsOf(changes.updates), [["a", "2"]]);
  assert.deepEqual(changes.deletes, [{ store: 1, key: "b" }]);
  assert.deepEqual(changes.inserts, []);
});

test("a row that has expired counts as absent, and is replaced in its place", () => {
  const dead = row("a", "1", { expiresAt: 100, revision: 7, createdAt: 1, updatedAt: 2 });
  const created = op(
    [set("a", "2", { isRevised: true, expiresAt: "keep" })],
    [{ store: 1, key: "a", etag: undefined }],
  );
  const { outcomes, changes } = resolveGroup([created], [dead]);
  assert.deepEqual(outcomes, [{ kind: "done", existed: 0 }]);
  const [updated] = changes.updates;
  assert.deepEqual([updated?.revision, updated?.createdAt, updated?.expiresAt], [1, 100, null]);
});

test("a write that asks for no revisions leaves those that were counted", () => {
  const before = row("a", "1", { revision: 3, createdAt: 1, updatedAt: 2 });
  const [plain] = resolveGroup([op([set("a", "2")])], [before]).changes.updates;
  assert.deepEqual([plain?.revision, plain?.createdAt, plain?.updatedAt], [3, 1, 2]);
  const [counted] = resolveGroup([op([set("a", "2", { isRevised: true })])], [before]).changes
    .updates;
  assert.deepEqual([counted?.revision, counted?.createdAt, counted?.updatedAt], [4, 1, 100]);
});

test("every key is locked once, whoever names it", () => {
  const ops = [op([set("a", "1")], [{ store: 1, key: "b", etag: "x" }]), op([set("a", "2")])];
  assert.deepEqual(keysOf(ops), [
    { store: 1, key: "b" },
    { store: 1, key: "a" },
  ]);
});
