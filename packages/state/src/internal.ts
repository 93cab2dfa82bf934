/** The sister packages' door: what the rooms above build on stores. Not for services. */

export { createTransactor } from "./transaction.ts";
export type {
  OpenTransaction,
  Transactor,
  TransactorOptions,
  TransactorStores,
} from "./transaction.ts";
export type { StageRider } from "./open-transaction.ts";
export { tapChanges, untapped } from "./change-tap.ts";
export type { ChangeTapOptions, StoreChange } from "./change-tap.ts";
export { openServiceScopes, scopeNameOf } from "./scopes.ts";
export type { ScopedDeclaration, ServiceScopes, ServiceScopesOptions } from "./scopes.ts";

export { createOutboxRider, OutboxLoad } from "./outbox-rider.ts";
export { connectPatiently } from "./table/connect-patiently.ts";
export { isOutOfTime } from "./failures.ts";
export { DueQueue } from "./table/due-queue.ts";
export { inTime } from "./table/in-time.ts";
export { createTableEngine, tableCapabilities } from "./table/table-engine.ts";
export { assertName, resolveTableOptions, tableConfigurable } from "./table/table-options.ts";
export type { ResolvedTableOptions, TableOptions } from "./table/table-options.ts";
export {
  invalidServerOption,
  readTlsFiles,
  resolveServerPlace,
  serverConfigurable,
} from "./table/server-options.ts";
export type {
  ServerKind,
  ServerOptions,
  ServerPlace,
  TlsFiles,
  TlsTexts,
} from "./table/server-options.ts";
export { isFailure, TableFailure } from "./table/table-database.ts";
export type {
  StandingRow,
  TableChanges,
  TableDatabase,
  TableFailureKind,
  TableKey,
  TableLetter,
  TableOutboxRows,
  TableRow,
  TableScan,
  TableWriter,
} from "./table/table-database.ts";
export { tableConfig, tlsConfig } from "./table/table-config.ts";
