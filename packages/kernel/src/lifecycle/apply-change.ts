/**
 * The other side of a lifecycle: a replica, which ends equal to what the owner has, in whatever
 * order and however often its events come.
 *
 * I1. A key's state and its version are written by one transaction, from one event.
 * I2. What is not newer than the version of its key changes nothing. That of a deleted key is kept
 *     for `rememberMs`, so a late older event does not bring it back.
 */

import type { TObject, TProperties } from "typebox";
import { on } from "../contract/contract.ts";
import type { AnyContract, EventNames, SubscribeOptions } from "../contract/contract.ts";
import type { SubscriptionSpec } from "../contract/contract-spec.ts";
import type { InferOutput } from "../schema/standard.ts";
import { storesIn } from "./entity-stores.ts";
import type { EntityStores, Fields } from "./entity-stores.ts";
import type { Change, ChangeName, Lifecycle, VisibleProperties } from "./lifecycle.ts";

/** A transaction of a service whose contract has the lifecycle's `replica`. */
export interface ReplicaTransaction<N extends string, P extends TProperties, H extends keyof P> {
  readonly stores: EntityStores<N, InferOutput<TObject<VisibleProperties<P, H>>>>;
}

/**
 * Subscribes to all of a lifecycle's events of the contract that publishes them.
 *
 * @example
 * subscriptions: { ...onChanges(accounts, accountLife) }
 */
export function onChanges<
  C extends AnyContract,
  N extends string,
  P extends TProperties,
  H extends keyof P,
>(
  contract: ChangeName<N> extends EventNames<C> ? C : never,
  lifecycle: Lifecycle<N, P, H>,
  options?: SubscribeOptions,
): { readonly [E in ChangeName<N>]: SubscriptionSpec<C, E> } {
  // Its own events by name, which the type of `contract` asks for.
  const names = Object.keys(lifecycle.events) as EventNames<C>[];
  const named = names.map((name) => [name, on<C, EventNames<C>>(contract, name, options)]);
  // One for each of those names.
  return Object.fromEntries(named) as { readonly [E in ChangeName<N>]: SubscriptionSpec<C, E> };
}

/** `stale`: the replica has this version or a newer one, and nothing was written. */
export type ChangeOutcome = "applied" | "stale";

/**
 * Brings one event into the replica, unless that is newer. In a transaction, or in `once` where a
 * handler does more than this.
 *
 * @example
 * accountDeleted: (event) => once(event, async (tx) => {
 *   if ((await applyChange(accountLife, tx, event)) === "stale") return;
 *   tx.stores.baskets.delete(event.state.id);
 * })
 */
export async function applyChange<N extends string, P extends TProperties, H extends keyof P>(
  lifecycle: Lifecycle<N, P, H>,
  tx: ReplicaTransaction<N, P, H>,
  event: Change<P, H>,
): Promise<ChangeOutcome> {
  const { key: keyField, rememberMs } = lifecycle;
  const { entities, versions } = storesIn(lifecycle, tx.stores);
  // Every event of a lifecycle has these, by its schema.
  const { change, version, state } = event as { change: string; version: number; state: Fields };
  const key = String(state[keyField]);
  const known = await versions.get(key);
  if (known !== undefined && known.version >= version) return "stale";
  if (change === "deleted") {
    entities.delete(key);
    versions.set(key, { version }, { ttlMs: rememberMs });
  } else {
    entities.set(key, state);
    versions.set(key, { version });
  }
  return "applied";
}

/**
 * The handlers of a replica that does nothing else: each event is applied in a transaction.
 *
 * @example
 * defineService(desk, ({ transaction }) => ({
 *   subscriptions: { ...changeHandlers(accountLife, transaction) },
 * }))
 */
export function changeHandlers<N extends string, P extends TProperties, H extends keyof P>(
  lifecycle: Lifecycle<N, P, H>,
  transaction: (
    run: (tx: ReplicaTransaction<N, P, H>) => Promise<ChangeOutcome>,
  ) => Promise<ChangeOutcome>,
): {
  readonly [E in ChangeName<N>]: (event: Change<P, H>) => Promise<ChangeOutcome>;
} {
  const apply = (event: Change<P, H>): Promise<ChangeOutcome> =>
    transaction((tx) => applyChange(lifecycle, tx, event));
  const handlers = Object.keys(lifecycle.events).map((name) => [name, apply]);
  // One for each event, and all alike.
  return Object.fromEntries(handlers) as { readonly [E in ChangeName<N>]: typeof apply };
}
