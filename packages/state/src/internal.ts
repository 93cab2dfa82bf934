/** The sister packages' door: what the rooms above build on stores. Not for services. */

export { createTransactor } from "./transaction.ts";
export type {
  OpenTransaction,
  Transactor,
  TransactorOptions,
  TransactorStores,
} from "./transaction.ts";
export type { StageRider } from "./open-transaction.ts";
