/** The door of the SQLite backend. */

export { sqlite } from "./provider.ts";
export { openSqlite } from "./sqlite-engine.ts";
export { openSqliteBus, sqliteBus } from "./sqlite-bus.ts";
export type { SqliteBusOptions } from "./sqlite-bus.ts";
export { openDataDirectory } from "./data-directory.ts";
export type { DataDirectory } from "./data-directory.ts";
export { resolveSqliteOptions } from "./options.ts";
export type { ResolvedSqliteOptions, SqliteOptions } from "./options.ts";
export { sqliteErrors } from "./errors.ts";
export { checkBackup, verifyBackup } from "./backup-check.ts";
export type { BackupCheck, BackupProblem } from "./backup-check.ts";
export { restoreBackup } from "./backup-restore.ts";
export type { RestoreOptions, RestoreReport } from "./backup-restore.ts";
export type { BackupManifest, ManifestFile } from "./backup-manifest.ts";
export { backupErrors } from "./backup-errors.ts";
