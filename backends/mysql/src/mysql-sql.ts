/**
 * The SQL of stores, for one prefix. Keys are VARBINARY, which compares as bytes do and pads
 * nothing (D1 of the table's contract); values are LONGTEXT in utf8mb4_bin: a JSON column would
 * rewrite numbers and the order of members.
 */

import { escape } from "mysql2";
import type { TableKey, TableLetter, TableRow } from "@banyan/state/internal";

const columns =
  "store_id, `key`, value, etag, version, expires_at, revision, created_at, updated_at";
const standing = "store_id, `key`, etag, expires_at, revision, created_at, updated_at";

export interface TableNames {
  readonly stores: string;
  readonly entries: string;
  readonly outbox: string;
  readonly steps: string;
}

export function tableNames(prefix: string): TableNames {
  const name = (table: string): string => `\`${prefix}${table}\``;
  return {
    stores: name("stores"),
    entries: name("entries"),
    outbox: name("outbox"),
    steps: name("schema_steps"),
  };
}

export interface MysqlSql {
  lock(keys: readonly TableKey[]): string;
  delete(keys: readonly TableKey[]): string;
  /** Rows that were not there: fails if one is by now. */
  insertHead: string;
  /** Rows that are there, and locked. */
  updateTail: string;
  row(row: TableRow): string;
  /** With places for a store and so many keys. */
  read(keys: number): string;
  scan: { readonly all: string; readonly to: string };
  count: string;
  sweep: string;
  /** New rows of the outbox, numbered in their order. */
  lettersHead: string;
  letter(letter: TableLetter): string;
}

export function createSql({ entries, outbox }: TableNames): MysqlSql {
  const select = `SELECT ${standing}, value, version FROM ${entries}`;
  const page = `${select} WHERE store_id = ? AND \`key\` >= ? AND \`key\` > ?
    AND (expires_at IS NULL OR expires_at > ?)`;
  return {
    // In one order everywhere, so that nodes do not wait for each other in a circle.
    lock: (keys) =>
      `SELECT ${standing} FROM ${entries} WHERE ${among(keys)} ORDER BY store_id, \`key\` FOR UPDATE`,
    delete: (keys) => `DELETE FROM ${entries} WHERE ${among(keys)}`,
    insertHead: `INSERT INTO ${entries} (${columns}) VALUES `,
    updateTail: ` ON DUPLICATE KEY UPDATE value = VALUES(value), etag = VALUES(etag),
      version = VALUES(version), expires_at = VALUES(expires_at), revision = VALUES(revision),
      created_at = VALUES(created_at), updated_at = VALUES(updated_at)`,
    row: ({ store, key, value, etag, version, expiresAt, revision, createdAt, updatedAt }) =>
      `(${store},${bytes(key)},${escape(value)},${escape(etag)},${version},` +
      `${expiresAt ?? "NULL"},${revision ?? "NULL"},${createdAt ?? "NULL"},${updatedAt ?? "NULL"})`,
    read: (keys) =>
      `${select} WHERE store_id = ? AND \`key\` IN (${Array.from({ length: keys }, () => "?").join()})`,
    scan: {
      all: `${page} ORDER BY \`key\` LIMIT ?`,
      to: `${page} AND \`key\` < ? ORDER BY \`key\` LIMIT ?`,
    },
    count: `SELECT COUNT(*) FROM ${entries}
      WHERE store_id = ? AND (expires_at IS NULL OR expires_at > ?)`,
    sweep: `DELETE FROM ${entries} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?`,
    lettersHead: `INSERT INTO ${outbox} (\`load\`, held_by, held_until) VALUES `,
    letter: ({ load, by, heldUntil }) => `(${escape(load)},${escape(by)},${heldUntil})`,
  };
}

/** Ranges of the primary key, store by store. */
function among(keys: readonly TableKey[]): string {
  const byStore = Map.groupBy(keys, ({ store }) => store);
  return [...byStore]
    .map(([store, listed]) => {
      const list = listed.map(({ key }) => bytes(key)).join();
      return `(store_id = ${store} AND \`key\` IN (${list}))`;
    })
    .join(" OR ");
}

function bytes(key: string): string {
  return `x'${Buffer.from(key).toString("hex")}'`;
}
