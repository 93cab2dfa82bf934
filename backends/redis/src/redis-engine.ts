/**
 * The Redis state engine: ephemeral stores on one server or on a Cluster.
 *
 * What it owns: its link, the sweep timer, the stores that were opened.
 * What may interrupt it: replies, the ends of connections, the timer, other nodes on the same keys.
 *
 * R1. A method hands over before it first waits, so writes take effect in the order of the calls.
 * R2. A step over several slots is refused before anything is sent.
 * R3. The sweep takes bounded bites, and a store that fails takes none from the others; what it has
 *     not met yet is gone for readers all the same.
 */

import type { CancelTimer, Etag, Waiting } from "@banyan/kernel";
import type { Redis } from "ioredis";
import { closedError, createEtagSource, StateCapability, stateErrors } from "@banyan/state";
import type {
  EngineChange,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  StateEngine,
  TransactionOutcome,
} from "@banyan/state";
import { untapped } from "@banyan/state/internal";
import { openClusterLink } from "./cluster-link.ts";
import { slotOf, storeKeys } from "./layout.ts";
import type { RedisLink } from "./link.ts";
import { resolveRedisOptions } from "./options.ts";
import type { RedisOptions, ResolvedRedisOptions } from "./options.ts";
import { RedisStore } from "./redis-store.ts";
import type { CommitStep, StoreKeeper } from "./redis-store.ts";
import { scriptQuestion } from "./request.ts";
import { createScripts } from "./scripts.ts";
import { openSingleLink } from "./single-link.ts";

/** What the engine declares, known before a server is asked. */
export const redisCapabilities: ReadonlySet<StateCapability> = new Set([
  StateCapability.Expires,
  StateCapability.Revisions,
  StateCapability.Transaction,
]);

const ENGINE_NAME = "redis";
const SWEPT_AT_ONCE = 500; // some milliseconds of the server

/**
 * Opens the engine; waits for the server up to `connectTimeoutMs`.
 *
 * @throws STATE_OPTION_INVALID, REDIS_UNREACHABLE, REDIS_AUTH_REFUSED, REDIS_CERTIFICATE_REFUSED,
 *   REDIS_UNFIT
 */
export async function openRedis(options: RedisOptions = {}): Promise<StateEngine> {
  const resolved = resolveRedisOptions(options);
  return createRedisEngine(await openRedisLink(resolved), resolved);
}

/** The way to the servers that the options name; a test may hand in other scripts. */
export async function openRedisLink(
  options: ResolvedRedisOptions,
  scripts = createScripts(),
): Promise<RedisLink> {
  const [first] = options.places;
  const parts = { options, scripts };
  if (options.isCluster || first === undefined) return openClusterLink(parts);
  return openSingleLink(first, parts);
}

/** The engine on a link that is open; the link is the engine's from now on. */
export function createRedisEngine(link: RedisLink, options: ResolvedRedisOptions): StateEngine {
  return new RedisEngine(link, options);
}

/**
 * The driver's clients under an engine, one for each server it is connected to now. What is done
 * with them is outside all guarantees: prefixes, order, outcomes and counts are yours to keep. Ask
 * nothing that blocks or subscribes, for the engine waits behind it; `duplicate()` is for that. An
 * engine that tells of its changes is looked through.
 *
 * @throws STATE_OPTION_INVALID when the engine is not one of `openRedis`
 */
export function redisClients(engine: StateEngine): readonly Redis[] {
  const real = untapped(engine);
  if (real instanceof RedisEngine) return real.clients();
  throw stateErrors.STATE_OPTION_INVALID(
    `The engine ${engine.name} was not opened by openRedis, so it has no clients of Redis.`,
  );
}

class RedisEngine implements StateEngine {
  readonly name = ENGINE_NAME;
  readonly durability = "ephemeral";
  readonly capabilities = redisCapabilities;
  readonly #link: RedisLink;
  readonly #options: ResolvedRedisOptions;
  readonly #keeper: StoreKeeper;
  /** By index key: all views of a store are one. */
  readonly #stores = new Map<string, RedisStore>();
  #cancelSweep: CancelTimer;
  #closing: Promise<void> | undefined = undefined;

  constructor(link: RedisLink, options: ResolvedRedisOptions) {
    this.#link = link;
    this.#options = options;
    const nextEtag: () => Etag = createEtagSource(options.random);
    this.#keeper = {
      nextEtag,
      link: () => this.#open(),
      commit: (step, waiting) => this.#commit(step, waiting),
    };
    this.#cancelSweep = this.#sweepLater();
  }

  openStore(spec: EngineStoreSpec): EngineStore {
    this.#open();
    const keys = storeKeys(this.#options.keyPrefix, spec);
    const store = this.#stores.get(keys.index) ?? new RedisStore(keys, this.#keeper);
    this.#stores.set(keys.index, store);
    store.ask({ revisions: spec.capabilities.has(StateCapability.Revisions) });
    return store;
  }

  async transact(
    { checks, changes, riders }: EngineTransaction,
    waiting: Waiting = {},
  ): Promise<TransactionOutcome> {
    try {
      if (riders.length > 0) throw foreignRiderError();
      const deleted = await this.#commit(
        {
          checks: checks.map((check) => ({ ...check, store: this.#ownStore(check.store) })),
          changes: changes.map((change: EngineChange) => this.#ownStore(change.store).plan(change)),
        },
        waiting,
      );
      return { kind: deleted === undefined ? "conflict" : "committed" };
    } finally {
      for (const rider of riders) rider.dropped();
    }
  }

  async check(waiting?: Waiting): Promise<void> {
    await this.#open().check(waiting);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.try(() => {
      this.#cancelSweep();
      return this.#link.close();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  clients(): readonly Redis[] {
    return this.#open().clients();
  }

  async #commit({ checks, changes }: CommitStep, waiting: Waiting): Promise<number | undefined> {
    const link = this.#open();
    const stores = [...new Set([...checks, ...changes].map(({ store }) => store))];
    const [first] = stores;
    if (first === undefined) return 0;
    if (link.isCluster) assertOneSlot(stores);
    const places = new Map(stores.map((store, index) => [store, String(index + 1)]));
    const keys = stores.flatMap((store) => [store.keys.index, store.keys.expiring]);
    const args = [String(stores.length), String(checks.length)];
    for (const { store, key, etag } of checks) {
      keys.push(store.keys.entries + key);
      args.push(etag === undefined ? "-" : `=${etag}`);
    }
    for (const { store, key, put } of changes) {
      const place = places.get(store) ?? "";
      keys.push(store.keys.entries + key);
      if (put === undefined) args.push("d", place);
      else if (put.json === undefined) args.push("s", place, put.expiry, put.text);
      else args.push("r", place, put.expiry, put.text, put.json);
    }
    // Checks alone change nothing, so a lost reply leaves no doubt.
    const call = { tag: first.keys.tag, keys, args, writes: changes.length > 0 };
    const { commit, erase } = link.scripts;
    const script = changes.some(({ put }) => put !== undefined) ? commit : erase;
    const reply = Number(await link.ask(scriptQuestion(script, call), waiting));
    return reply === -1 ? undefined : reply;
  }

  #ownStore(store: EngineStore): RedisStore {
    const isOurs = store instanceof RedisStore && this.#stores.get(store.keys.index) === store;
    if (isOurs) return store;
    throw stateErrors.STATE_TRANSACTION_MIXED(
      `A store of another engine was given to a transaction of the ${ENGINE_NAME} engine; a ` +
        `transaction's stores are on one engine.`,
    );
  }

  #sweepLater(): CancelTimer {
    return this.#options.clock.setTimer(this.#options.sweepIntervalMs, () => {
      void this.#sweep();
    });
  }

  /** Runs by itself, so it reports by log; what it could not forget is gone for readers anyway. */
  async #sweep(): Promise<void> {
    const failures: unknown[] = [];
    for (const store of this.#stores.values()) {
      // Its server's absence is in the log already, and would be waited for by each store anew.
      if (!this.#link.isReadyFor(store.keys.tag)) continue;
      try {
        while (this.#closing === undefined && (await store.sweep(SWEPT_AT_ONCE)));
      } catch (error) {
        failures.push(error);
      }
    }
    if (this.#closing !== undefined) return;
    if (failures.length > 0) {
      const fields = { stores: failures.length, error: failures[0] };
      this.#options.log.warn("expired entries could not be swept from the indexes", fields);
    }
    this.#cancelSweep = this.#sweepLater();
  }

  #open(): RedisLink {
    if (this.#closing !== undefined) throw closedError(ENGINE_NAME);
    return this.#link;
  }
}

function assertOneSlot(stores: readonly RedisStore[]): void {
  const tags = [...new Set(stores.map(({ keys }) => keys.tag))];
  if (new Set(tags.map(slotOf)).size <= 1) return;
  const scopes = tags.map((tag) => decodeURIComponent(tag));
  throw stateErrors.STATE_TRANSACTION_MIXED(
    `A transaction has stores of the scopes ${scopes.join(", ")}, which a Redis ` +
      `Cluster keeps in different slots; nothing was done. Keep the stores of a transaction in ` +
      `one scope, or use a Redis that is no Cluster.`,
    { details: { scopes } },
  );
}

function foreignRiderError(): Error {
  return stateErrors.STATE_RIDER_FOREIGN(
    `Nothing rides on a transaction of the ${ENGINE_NAME} engine: it has no outbox. Put bus and ` +
      `stores on an engine that has one.`,
  );
}
