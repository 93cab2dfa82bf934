/** The two stores of a lifecycle inside a transaction, found by the name of its entity. */

import type { TransactionStore } from "../ports/store.ts";
import type { LifecycleRules } from "./lifecycle.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** `order` and `orderVersions`, as a transaction sees them. */
export type EntityStores<N extends string, V> = {
  readonly [K in N]: TransactionStore<V>;
} & { readonly [K in `${N}Versions`]: TransactionStore<{ version: number }> };

interface ErasedStores {
  readonly entities: TransactionStore<Fields>;
  readonly versions: TransactionStore<{ readonly version: number }>;
}

/** Their types erased: here names are data. */
export function storesIn({ entity }: LifecycleRules, stores: object): ErasedStores {
  // The callers' types ask for just these two, of these values, under these names.
  const named = stores as Readonly<Record<string, TransactionStore<never>>>;
  const entities = named[entity];
  const versions = named[`${entity}Versions`];
  if (entities === undefined || versions === undefined) {
    throw new TypeError(`The transaction has no stores "${entity}" and "${entity}Versions".`);
  }
  return { entities, versions };
}
