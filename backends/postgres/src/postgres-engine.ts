/** The PostgreSQL state engine: the engine on a table, over one PostgreSQL. */

import type { StateEngine } from "@banyan/state";
import { createTableEngine } from "@banyan/state/internal";
import type { TableDatabase } from "@banyan/state/internal";
import { resolvePostgresOptions } from "./options.ts";
import type { PostgresOptions, ResolvedPostgresOptions } from "./options.ts";
import { openPostgresDatabase } from "./postgres-database.ts";

/**
 * Opens the engine; tables are made or brought up to date.
 *
 * @throws POSTGRES_UNREACHABLE, POSTGRES_LOGIN_REFUSED, POSTGRES_TLS_REFUSED, POSTGRES_UNSUITABLE,
 *   POSTGRES_SCHEMA_NEWER, STATE_OPTION_INVALID
 */
export async function openPostgresState(options: PostgresOptions): Promise<StateEngine> {
  const resolved = resolvePostgresOptions(options);
  return createPostgresEngine(await openPostgresDatabase(resolved), resolved);
}

/** The engine over a database that is open, and is the engine's from now on. */
export function createPostgresEngine(
  database: TableDatabase,
  options: ResolvedPostgresOptions,
): Promise<StateEngine> {
  return createTableEngine(database, {
    ...options,
    name: "postgres",
    readersMax: options.poolSize,
  });
}
