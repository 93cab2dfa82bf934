/**
 * The owner's side of a lifecycle: writes that tell of themselves.
 *
 * I1. An entity, its version and the event that tells of it are written by one transaction.
 * I2. The versions of a key ascend, over deletions too: the next one is greater than the last one
 *     remembered, and than the clock. So a key whose last version was forgotten, or was never
 *     kept, goes on above it as long as no clock is behind by `rememberMs`.
 * I3. What nobody sees is not told: a change of hidden fields alone is written and nothing more.
 */

import type { TObject, TProperties } from "typebox";
import type { Published } from "../ports/event.ts";
import { equalJson, readProperty } from "../schema/json-value.ts";
import type { InferOutput } from "../schema/standard.ts";
import type { Clock } from "../time/clock.ts";
import { storesIn } from "./entity-stores.ts";
import type { EntityStores, Fields } from "./entity-stores.ts";
import type { Change, ChangeName, Lifecycle } from "./lifecycle.ts";

/**
 * A transaction of a service whose contract has the lifecycle's stores and events. One whose store
 * is called otherwise hands over `{ stores: { item: tx.stores.items, … }, publish: tx.publish }`.
 */
export interface TrackingTransaction<N extends string, P extends TProperties, H extends keyof P> {
  readonly stores: EntityStores<N, InferOutput<TObject<P>>>;
  readonly publish: (event: ChangeName<N>, payload: Change<P, H>) => Published;
}

/** The entities inside one transaction. Each method answers what was told; `undefined`: nothing. */
export interface TrackedEntities<V> {
  /**
   * Writes an entity under its key and tells that it was created or updated; nothing is told where
   * nothing changed that others see. @throws what `TransactionStore.set` throws
   */
  set(entity: V): Promise<Published | undefined>;
  /** Deletes it and tells its last state. Nothing happens where nothing is. */
  delete(key: string, reason?: string): Promise<Published | undefined>;
  /**
   * Tells an entity again as it is, as updated in no field, under a new version: for replicas that
   * began after it was written, or where it was written untold.
   */
  tell(key: string): Promise<Published | undefined>;
}

/**
 * Wraps the writes of one transaction, so that each is told of with its commit.
 *
 * @example
 * await transaction(async (tx) => {
 *   const tracked = trackChanges(accountLife, tx, clock);
 *   await tracked.set({ ...account, name: "Ada" });
 *   await tracked.delete("17", "closed by its owner");
 * });
 */
export function trackChanges<N extends string, P extends TProperties, H extends keyof P>(
  lifecycle: Lifecycle<N, P, H>,
  tx: TrackingTransaction<N, P, H>,
  clock: Clock,
): TrackedEntities<InferOutput<TObject<P>>> {
  const { entity, key: keyField, visible, rememberMs } = lifecycle;
  const { entities, versions } = storesIn(lifecycle, tx.stores);
  // The names of the events are made of the entity's, and their payloads are checked by its schema.
  const publish = tx.publish as unknown as (event: string, payload: Fields) => Published;
  const nextAfter = (last: { readonly version: number } | undefined): { version: number } => ({
    version: Math.max((last?.version ?? 0) + 1, Math.floor(clock.nowMs())),
  });
  const stateOf = (value: Fields): Fields =>
    Object.fromEntries(visible.map((name) => [name, readProperty(value, name)]));
  const inTurn = turnsOf();

  return {
    set: (written) =>
      inTurn(async () => {
        // An object by its schema, whose types are not resolved here.
        const value = written as Fields;
        const key = String(value[keyField]);
        let before: Fields | undefined;
        const after = await entities.update(key, (current) => {
          before = current;
          return value;
        });
        const changedFields = visible.filter(isChanged(before, after));
        if (before !== undefined && changedFields.length === 0) return undefined;
        const { version } = await versions.update(key, nextAfter);
        const state = stateOf(after);
        return before === undefined
          ? publish(`${entity}Created`, { change: "created", version, state })
          : publish(`${entity}Updated`, { change: "updated", version, state, changedFields });
      }),
    delete: (key, reason) =>
      inTurn(async () => {
        const before = await entities.get(key);
        if (before === undefined) return undefined;
        entities.delete(key);
        const { version } = nextAfter(await versions.get(key));
        versions.set(key, { version }, { ttlMs: rememberMs });
        const state = stateOf(before);
        return publish(`${entity}Deleted`, { change: "deleted", version, state, reason });
      }),
    tell: (key) =>
      inTurn(async () => {
        const value = await entities.get(key);
        if (value === undefined) return undefined;
        const { version } = await versions.update(key, nextAfter);
        const state = stateOf(value);
        return publish(`${entity}Updated`, {
          change: "updated",
          version,
          state,
          changedFields: [],
        });
      }),
  };
}

/** Whether a field differs, as JSON values do. */
function isChanged(before: Fields = {}, after: Fields): (name: string) => boolean {
  return (name) => !equalJson(readProperty(before, name), readProperty(after, name));
}

/** One after the other, so that of two writes of a key the later one has the greater version. */
function turnsOf(): <R>(work: () => Promise<R>) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn;
    return turn;
  };
}
