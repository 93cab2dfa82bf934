/**
 * The SQL of stores. Text columns compare with SQLite's BINARY collation, which is memcmp over
 * UTF-8: the order and the equality that keys are to have.
 *
 * T1. A row is live while `expires_at` is null or greater than `now`; every statement says so.
 *
 * Values are bound by place, which the driver does faster than by name.
 */

const isLive = "(expires_at IS NULL OR expires_at > ?)";
const isListed = "key IN (SELECT value FROM json_each(?))";
const plainColumns = "key, value, etag, version";
const revisedColumns = `${plainColumns}, revision, created_at, updated_at`;

/** The statements that read one kind of store. */
export interface ReadSql {
  /** store, key, now */
  readonly get: string;
  /** The same with `expires_at` as the last column. */
  readonly latest: string;
  /** store, list of keys as JSON, now */
  readonly getMany: string;
  /** store, from (included), after (left out), now, limit */
  readonly scan: string;
  /** store, from (included), end (excluded), after (left out), now, limit */
  readonly scanTo: string;
}

export const plainReads: ReadSql = readsOf(plainColumns);
/** The same with revision, time of the first and of the last write. */
export const revisedReads: ReadSql = readsOf(revisedColumns);

function readsOf(columns: string): ReadSql {
  const select = `SELECT ${columns} FROM entries WHERE store_id = ?`;
  return Object.freeze({
    get: `${select} AND key = ? AND ${isLive}`,
    latest: `
      SELECT ${columns}, expires_at FROM entries WHERE store_id = ? AND key = ? AND ${isLive}`,
    getMany: `${select} AND ${isListed} AND ${isLive}`,
    scan: `${select} AND key >= ? AND key <> ? AND ${isLive} ORDER BY key LIMIT ?`,
    scanTo: `${select} AND key >= ? AND key < ? AND key <> ? AND ${isLive} ORDER BY key LIMIT ?`,
  });
}

export const reads = Object.freeze({
  /** scope, name */
  storeId: "SELECT id FROM stores WHERE scope = ? AND name = ?",
  /** store, key, now */
  has: `SELECT 1 FROM entries WHERE store_id = ? AND key = ? AND ${isLive}`,
  /** store, key, now */
  etag: `SELECT etag FROM entries WHERE store_id = ? AND key = ? AND ${isLive}`,
  /** store, now */
  count: `SELECT count(*) FROM entries WHERE store_id = ? AND ${isLive}`,
  /** now */
  expired: "SELECT 1 FROM entries WHERE expires_at <= ? LIMIT 1",
});

export const writes = Object.freeze({
  /** scope, name */
  openStore: "INSERT INTO stores (scope, name) VALUES (?, ?) ON CONFLICT DO NOTHING",
  /** store, key, now */
  delete: `DELETE FROM entries WHERE store_id = ? AND key = ? AND ${isLive}`,
  /** store, key, now, etag */
  deleteMatching: `DELETE FROM entries WHERE store_id = ? AND key = ? AND ${isLive} AND etag = ?`,
  /** store, list of keys as JSON, now */
  deleteMany: `DELETE FROM entries WHERE store_id = ? AND ${isListed} AND ${isLive}`,
  /** now, limit */
  sweep: `
    DELETE FROM entries WHERE rowid IN
      (SELECT rowid FROM entries WHERE expires_at <= ? LIMIT ?)`,
});

/**
 * store, key, value, etag, version, expires_at, now
 *
 * All of them are one statement, so a condition and its write are one step. `?7` is now; `entries`
 * is the row that stands, dead or alive, `excluded` the one to be written.
 */
export interface SetSql {
  readonly set: string;
  readonly setKeeping: string;
  /** A dead row in the way is replaced; a live one makes the statement do nothing. */
  readonly create: string;
  /** with etag as `?8`: nothing happens unless the row stands with it */
  readonly replace: string;
  readonly replaceKeeping: string;
}

const stood = "(entries.expires_at IS NULL OR entries.expires_at > ?7)";

export const plainSets: SetSql = setsOf({ columns: "", values: "", changes: "" });
/** A dead row in the way leaves no revision behind: the write makes the entry anew. */
export const revisedSets: SetSql = setsOf({
  columns: ", revision, created_at, updated_at",
  values: ", 1, ?7, ?7",
  changes: `
    , revision = CASE WHEN ${stood} THEN coalesce(entries.revision, 1) + 1 ELSE 1 END
    , created_at = CASE WHEN ${stood} THEN coalesce(entries.created_at, 0) ELSE ?7 END
    , updated_at = ?7`,
});

function setsOf(revisions: { columns: string; values: string; changes: string }): SetSql {
  const { columns, values, changes } = revisions;
  const insert = `
    INSERT INTO entries (store_id, key, value, etag, version, expires_at${columns})
    VALUES (?1, ?2, ?3, ?4, ?5, ?6${values})
    ON CONFLICT (store_id, key) DO UPDATE
    SET value = excluded.value, etag = excluded.etag, version = excluded.version${changes},
    expires_at =`;
  const update = `
    UPDATE entries SET value = ?3, etag = ?4, version = ?5${changes}, expires_at =`;
  const matching = `WHERE store_id = ?1 AND key = ?2 AND etag = ?8 AND ${stood}`;
  return Object.freeze({
    set: `${insert} excluded.expires_at`,
    setKeeping: `${insert} CASE WHEN ${stood} THEN entries.expires_at END`,
    create: `${insert} excluded.expires_at WHERE NOT ${stood}`,
    replace: `${update} ?6 ${matching}`,
    replaceKeeping: `${update} coalesce(?6, expires_at) ${matching}`,
  });
}
