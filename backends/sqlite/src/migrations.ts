/**
 * The file's schema, as a list of steps. `PRAGMA user_version` says how many were taken.
 *
 * A step that was released is never edited: files out there have taken it. Add a new one.
 *
 * The table has a rowid. WITHOUT ROWID reads small values a fifth faster, but keeps values inside
 * the tree: at 2 KB a value both reads and writes fall to a third (docs/decisions/0041).
 */

import type { DatabaseSync } from "node:sqlite";
import { busExpirySchema, busSchema } from "./bus-schema.ts";
import { sqliteErrors } from "./errors.ts";
import { outboxSchema } from "./outbox-ops.ts";

export const migrations: readonly string[] = Object.freeze([
  `CREATE TABLE stores (
     id INTEGER PRIMARY KEY,
     scope TEXT NOT NULL,
     name TEXT NOT NULL,
     UNIQUE (scope, name)
   ) STRICT;
   CREATE TABLE entries (
     store_id INTEGER NOT NULL,
     key TEXT NOT NULL,
     value TEXT NOT NULL,
     etag TEXT NOT NULL,
     version INTEGER NOT NULL,
     expires_at INTEGER,
     PRIMARY KEY (store_id, key)
   ) STRICT;
   CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;`,
  // Null in stores that did not ask for revisions. Wall clocks may have fractions.
  `ALTER TABLE entries ADD COLUMN revision INTEGER;
   ALTER TABLE entries ADD COLUMN created_at REAL;
   ALTER TABLE entries ADD COLUMN updated_at REAL;
   CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;`,
  busSchema,
  busExpirySchema,
  outboxSchema,
]);

/**
 * Takes the steps that the file lacks, all or none.
 * @throws SQLITE_SCHEMA_NEWER when the file has taken steps that are not known here.
 */
export function migrate(database: DatabaseSync, file: string, steps = migrations): void {
  const taken = userVersion(database);
  if (taken > steps.length) {
    throw sqliteErrors.SQLITE_SCHEMA_NEWER(
      `The database file ${file} has schema ${taken}, this version knows ${steps.length}; ` +
        `run the newer version.`,
      { details: { file, schema: taken, known: steps.length } },
    );
  }
  if (taken === steps.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of steps.slice(taken)) database.exec(step);
    database.exec(`PRAGMA user_version = ${steps.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function userVersion(database: DatabaseSync): number {
  const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
  return typeof version === "number" ? version : 0;
}
