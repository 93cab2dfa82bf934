/**
 * The SQL of stores, for one schema and prefix. Keys are BYTEA, which compares as bytes do (D1 of
 * the table's contract). Lists go in as one JSON text, so each statement has one form, is prepared
 * once, and has no limit of parameters.
 *
 * Values are TEXT: JSONB would refuse some texts and put numbers in a form of its own.
 */

import { createHash } from "node:crypto";

const columns = "store_id, key, value, etag, version, expires_at, revision, created_at, updated_at";
const listed = `json_to_recordset($1::json) AS list
  (s int, k text, v text, e text, n float8, x float8, r float8, c float8, u float8)`;
const listedKeys = "json_to_recordset($1::json) AS list (s int, k text)";
const standing = `e.store_id, convert_from(e.key, 'UTF8'), e.etag, e.expires_at,
  e.revision::float8, e.created_at, e.updated_at`;
const row = `${standing}, e.value, e.version::float8`;

/** A statement and the name that it is prepared under. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface PostgresSql {
  readonly storeId: Statement;
  readonly addStore: Statement;
  /** list of keys */
  readonly lock: Statement;
  /** list of rows */
  readonly insert: Statement;
  /** list of rows */
  readonly update: Statement;
  /** list of keys */
  readonly delete: Statement;
  /** store, key */
  readonly get: Statement;
  /** list of keys */
  readonly getMany: Statement;
  /** store, from, after, now, limit */
  readonly scan: Statement;
  /** the same and end */
  readonly scanTo: Statement;
  /** store, now */
  readonly count: Statement;
  /** now, limit */
  readonly sweep: Statement;
  /** list of rows of the outbox */
  readonly addLetters: Statement;
  /** by, now, held until, limit */
  readonly claim: Statement;
  /** list of ids */
  readonly remove: Statement;
  /** by */
  readonly release: Statement;
  /** id, reason */
  readonly setAside: Statement;
  readonly outboxStatus: Statement;
}

export function tableNames(schema: string, prefix: string) {
  const name = (table: string): string => `"${schema}"."${prefix}${table}"`;
  return {
    schema,
    stores: name("stores"),
    entries: name("entries"),
    outbox: name("outbox"),
    steps: name("schema_steps"),
  };
}

export type TableNames = ReturnType<typeof tableNames>;

export function createSql(names: TableNames): PostgresSql {
  return Object.freeze({ ...createStoreSql(names), ...createOutboxSql(names) });
}

type OutboxSql = Pick<
  PostgresSql,
  "addLetters" | "claim" | "remove" | "release" | "setAside" | "outboxStatus"
>;

function createOutboxSql({ outbox }: TableNames): OutboxSql {
  return {
    // Numbered in the order of the list: one writer's rows ascend as its commits do.
    addLetters: statement(`INSERT INTO ${outbox} (load, held_by, held_until)
      SELECT l, b, u FROM json_to_recordset($1::json) AS list (n int, l text, b text, u float8)
      ORDER BY n`),
    claim: statement(`WITH free AS (
        SELECT id FROM ${outbox} WHERE aside IS NULL AND (held_by = $1 OR held_until <= $2)
        ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED),
      claimed AS (UPDATE ${outbox} o SET held_by = $1, held_until = $3 FROM free
        WHERE o.id = free.id RETURNING o.id, o.load)
      SELECT id::text, load FROM claimed ORDER BY claimed.id`),
    remove: statement(`DELETE FROM ${outbox} WHERE id = ANY ($1::bigint[])`),
    release: statement(`UPDATE ${outbox} SET held_until = 0 WHERE held_by = $1`),
    setAside: statement(`UPDATE ${outbox} SET aside = $2 WHERE id = $1`),
    outboxStatus: statement(`SELECT (count(*) - count(aside))::float8, count(aside)::float8
      FROM ${outbox}`),
  };
}

function createStoreSql({ stores, entries }: TableNames): Omit<PostgresSql, keyof OutboxSql> {
  const select = `SELECT ${row} FROM ${entries} e`;
  const page = `${select} WHERE e.store_id = $1 AND e.key >= $2 AND e.key > $3
    AND (e.expires_at IS NULL OR e.expires_at > $4)`;
  const here = "e.store_id = list.s AND e.key = convert_to(list.k, 'UTF8')";
  return {
    storeId: statement(`SELECT id FROM ${stores} WHERE scope = $1 AND name = $2`),
    addStore: statement(
      `INSERT INTO ${stores} (scope, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
    ),
    // In one order everywhere, so that nodes do not wait for each other in a circle.
    lock: statement(`SELECT ${standing} FROM ${listedKeys} JOIN ${entries} e ON ${here}
      ORDER BY e.store_id, e.key FOR UPDATE OF e`),
    insert: statement(`INSERT INTO ${entries} (${columns})
      SELECT s, convert_to(k, 'UTF8'), v, e, n, x, r, c, u FROM ${listed} ORDER BY 1, 2`),
    update: statement(`UPDATE ${entries} e SET value = v, etag = list.e, version = n,
      expires_at = x, revision = r, created_at = c, updated_at = u FROM ${listed} WHERE ${here}`),
    delete: statement(`DELETE FROM ${entries} e USING ${listedKeys} WHERE ${here}`),
    get: statement(`${select} WHERE e.store_id = $1 AND e.key = $2`),
    getMany: statement(`SELECT ${row} FROM ${listedKeys} JOIN ${entries} e ON ${here}`),
    scan: statement(`${page} ORDER BY e.key LIMIT $5`),
    scanTo: statement(`${page} AND e.key < $6 ORDER BY e.key LIMIT $5`),
    count: statement(`SELECT count(*)::float8 FROM ${entries}
      WHERE store_id = $1 AND (expires_at IS NULL OR expires_at > $2)`),
    sweep: statement(`DELETE FROM ${entries} WHERE ctid = ANY (ARRAY (
      SELECT ctid FROM ${entries} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
      FOR UPDATE SKIP LOCKED))`),
  };
}

/** The name is one of the text, so two engines over one pooler never mean two things by it. */
function statement(text: string): Statement {
  const digest = createHash("sha256").update(text).digest("base64url");
  return Object.freeze({ name: `banyan_${digest.slice(0, 16)}`, text });
}
