/** The door of the MySQL backend. */

export { mysqlState } from "./provider.ts";
export { openMysqlState } from "./mysql-engine.ts";
export { resolveMysqlOptions } from "./options.ts";
export type { MysqlOptions, MysqlTls, ResolvedMysqlOptions, ResolvedTls } from "./options.ts";
export { mysqlErrors } from "./errors.ts";
