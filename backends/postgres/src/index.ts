/** The door of the PostgreSQL backend. */

export { postgresState } from "./provider.ts";
export { openPostgresState } from "./postgres-engine.ts";
export { resolvePostgresOptions } from "./options.ts";
export type {
  PostgresOptions,
  PostgresTls,
  ResolvedPostgresOptions,
  ResolvedTls,
} from "./options.ts";
export { postgresErrors } from "./errors.ts";
