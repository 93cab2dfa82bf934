/**
 * What of a lock is in the engine: for each key two entries of one store, in the scope of the
 * stores that it guards, so that a transaction can check the one while it writes the others.
 *
 * The *holder* is there while the lock is held, and ends by itself. The *fence* remembers the last
 * number given out. Both are written in one step, and only if neither changed since they were read.
 *
 * The fencing number of an acquisition is `max(last + 1, t)`, where `t` is the time of the fence
 * entry's own write by the engine's clock, in microseconds. Who took the lock reads it after that
 * write. No clock of a node is in it, so nodes may disagree about the time; and because numbers
 * never run ahead of the clock they were taken from, one that follows a lost entry is greater too.
 * That is also why a fence may be forgotten: it is kept for a month, or every key that was ever
 * locked would stay.
 */

import { isBanyanError, t } from "@banyan/kernel";
import type { Etag, RevisedEntry, RevisedStore, StoreSpec, Waiting } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type { Durability, EngineChange, EngineCheck, StateEngine } from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { engineFailure } from "../failures.ts";
import { openStore } from "../open-store.ts";
import type { OpenStoreOptions } from "../open-store.ts";
import { TypedStore } from "../typed-store.ts";
import type { StoreCore } from "../store-core.ts";

/** How long the last number of a lock that nobody takes is remembered. */
const FENCE_KEPT_MS = 30 * 86_400_000;

const record = t.Object({
  /** Of one acquisition and no other. */
  token: t.String({ minLength: 1 }),
  /** Of the holder: how long each of its writes holds. */
  ttlMs: t.Optional(t.Integer({ minimum: 1 })),
  /** Of the fence: the number before the one that this write gave out. */
  last: t.Optional(t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - 1 })),
});

interface LockRecord {
  readonly token: string;
  readonly ttlMs?: number;
  readonly last?: number;
}

/** The declaration of the store behind a lock. */
function lockStoreSpec(durability: Durability): StoreSpec {
  return {
    summary: "Who holds a lock, and the last fencing number given out.",
    value: record,
    durability,
    expires: true,
    capabilities: [StateCapability.Transaction, StateCapability.Revisions],
  };
}

/** Who holds the lock, as it was read. */
export interface HolderEntry {
  readonly token: string;
  readonly etag: Etag;
  readonly ttlMs: number;
}

/** The last acquisition, as it was read. */
interface FenceEntry {
  readonly token: string;
  readonly etag: Etag;
  readonly fence: number;
}

/** Both entries, of one moment. */
export interface LockStanding {
  readonly holder: HolderEntry | undefined;
  readonly fence: FenceEntry | undefined;
}

/** What an acquisition or a renewal writes. */
export interface Tenure {
  readonly token: string;
  readonly ttlMs: number;
}

/** The two entries of each key of one declared lock. */
export class LockEntries {
  readonly engine: StateEngine;
  readonly label: string;
  readonly #store: RevisedStore<LockRecord>;
  readonly #core: StoreCore<LockRecord>;

  private constructor(store: RevisedStore<LockRecord>, core: StoreCore<LockRecord>) {
    this.#store = store;
    this.#core = core;
    this.engine = core.engine;
    this.label = core.label;
  }

  /** @throws STATE_CAPABILITY_MISSING, STATE_STORE_INVALID, STATE_ENGINE_UNAVAILABLE */
  static async open(
    engine: StateEngine,
    options: Omit<OpenStoreOptions<StoreSpec>, "spec"> & { readonly durability: Durability },
  ): Promise<LockEntries> {
    const spec = lockStoreSpec(options.durability);
    const opened = await openStore(engine, { ...options, spec });
    // The declaration asks for revisions, and its schema describes a LockRecord.
    const store = opened as unknown as RevisedStore<LockRecord>;
    const core = TypedStore.coreOf<LockRecord>(store);
    if (core === undefined) throw new TypeError("openStore answered a store that it did not make");
    return new LockEntries(store, core);
  }

  async read(key: string | undefined, waiting?: Waiting): Promise<LockStanding> {
    const keys = keysOf(key);
    const found = await this.#store.getMany([keys.holder, keys.fence], waiting);
    const holder = found.find((entry) => entry.key === keys.holder);
    const fence = found.find((entry) => entry.key === keys.fence);
    return {
      holder: holder && { ...tenureOf(holder), etag: holder.etag },
      fence: fence && { token: fence.value.token, etag: fence.etag, fence: numberOf(fence) },
    };
  }

  /** Takes a lock that nobody held when it was read; false: something changed since. */
  async take(
    key: string | undefined,
    { fence }: LockStanding,
    { token, ttlMs }: Tenure,
  ): Promise<boolean> {
    const { entries: store, codec } = this.#core;
    const keys = keysOf(key);
    const checks: EngineCheck[] = [
      { store, key: keys.holder, etag: undefined },
      { store, key: keys.fence, etag: fence?.etag },
    ];
    const last = fence?.fence ?? 0;
    const writes = [
      codec.encode(keys.holder, { token, ttlMs }, ttlMs),
      codec.encode(keys.fence, { token, last }, FENCE_KEPT_MS),
    ];
    const changes = writes.map((write): EngineChange => ({ kind: "set", store, write }));
    try {
      const outcome = await this.engine.transact?.({ checks, changes, riders: [] });
      return outcome?.kind === "committed";
    } catch (error) {
      throw engineFailure(error, this.engine.name, this.label);
    }
  }

  /** One more time to live for the entry of this etag; `undefined`: it has changed, or is gone. */
  renew(key: string | undefined, tenure: Tenure, ifMatch: Etag): Promise<Etag | undefined> {
    const { token, ttlMs } = tenure;
    const { holder } = keysOf(key);
    return unlessConflict(this.#store.set(holder, { token, ttlMs }, { ifMatch, ttlMs }));
  }

  /** Removes the entry of this etag; false: it has changed, or is gone. */
  async remove(key: string | undefined, ifMatch: Etag): Promise<boolean> {
    const { holder } = keysOf(key);
    return (await unlessConflict(this.#store.delete(holder, { ifMatch }))) === true;
  }

  /** What a transaction insists on while this etag is the lock's. */
  checkOf(key: string | undefined, etag: Etag): EngineCheck {
    return { store: this.#core.entries, key: keysOf(key).holder, etag };
  }
}

/** No key is the key of the lock as a whole, which no text can be mistaken for. */
function keysOf(key: string | undefined): { readonly holder: string; readonly fence: string } {
  if (key === undefined) return { holder: "holder", fence: "fence" };
  return { holder: `holder:${key}`, fence: `fence:${key}` };
}

function tenureOf({ key, value }: RevisedEntry<LockRecord>): Tenure {
  const { token, ttlMs } = value;
  if (ttlMs === undefined) throw unreadable(key, "ttlMs");
  return { token, ttlMs };
}

/** The number that the write of this entry gave out. */
function numberOf({ key, value, updatedAtMs }: RevisedEntry<LockRecord>): number {
  const { last } = value;
  if (last === undefined) throw unreadable(key, "last");
  return Math.max(last + 1, Math.floor(updatedAtMs * 1000));
}

function unreadable(key: string, missing: string): Error {
  return stateErrors.STATE_VALUE_UNREADABLE(
    `The lock's entry "${key}" has no "${missing}", so somebody else wrote it; remove it, and ` +
      `leave the stores of locks alone.`,
    { details: { key } },
  );
}

async function unlessConflict<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write;
  } catch (error) {
    if (isBanyanError(error, "STATE_VERSION_CONFLICT")) return undefined;
    throw error;
  }
}
