/** The MySQL state engine: the engine on a table, over one MariaDB or MySQL. */

import type { StateEngine } from "@banyan/state";
import { createTableEngine } from "@banyan/state/internal";
import type { TableDatabase } from "@banyan/state/internal";
import { resolveMysqlOptions } from "./options.ts";
import type { MysqlOptions, ResolvedMysqlOptions } from "./options.ts";
import { openMysqlDatabase } from "./mysql-database.ts";

/**
 * Opens the engine; tables are made or brought up to date.
 *
 * @throws MYSQL_UNREACHABLE, MYSQL_LOGIN_REFUSED, MYSQL_TLS_REFUSED, MYSQL_UNSUITABLE,
 *   MYSQL_SCHEMA_NEWER, STATE_OPTION_INVALID
 */
export async function openMysqlState(options: MysqlOptions): Promise<StateEngine> {
  const resolved = resolveMysqlOptions(options);
  return createMysqlEngine(await openMysqlDatabase(resolved), resolved);
}

/** The engine over a database that is open, and is the engine's from now on. */
export function createMysqlEngine(
  database: TableDatabase,
  options: ResolvedMysqlOptions,
): Promise<StateEngine> {
  return createTableEngine(database, {
    ...options,
    name: "mysql",
    readersMax: options.poolSize,
  });
}
