/** The door of the SQLite backend. */

export { sqlite } from "./provider.ts";
export { openSqlite } from "./sqlite-engine.ts";
export { openDataDirectory } from "./data-directory.ts";
export type { DataDirectory } from "./data-directory.ts";
export { resolveSqliteOptions } from "./options.ts";
export type { ResolvedSqliteOptions, SqliteOptions } from "./options.ts";
export { sqliteErrors } from "./errors.ts";
