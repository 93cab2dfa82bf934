/**
 * A store as its author sees it, on whatever engine.
 *
 * What it is: the boundary. Keys, options and values are checked here once for every engine;
 * values are copied in both directions by their schema, so an engine may keep the object it is
 * given and no author ever shares one with it.
 * What it owns: the update lanes of its keys; nothing else lives between two calls.
 * What may interrupt it: a caller's signal, before the engine is asked or while an update waits. A
 * write that the engine was asked for runs to its end, so its outcome is always told.
 *
 * I1. What reaches the engine fits the schema, the limits and the text rules.
 * I2. What is returned is a fresh copy that fits the current schema, whatever version was stored.
 * I3. `change` runs outside the engine: it may throw, be slow, or use the store again.
 * I4. Only a BanyanError leaves, and what `change` threw.
 */

import { backoffMs } from "@banyan/kernel";
import type {
  Clock,
  DeleteOptions,
  Entry,
  Etag,
  Page,
  Random,
  ScanOptions,
  Store,
  Upgrades,
  Waiting,
  WriteOptions,
} from "@banyan/kernel";
import { abortReasonOf } from "@banyan/kernel/internal";
import type { Codec } from "@banyan/kernel/internal";
import { abortError, engineFailure } from "./failures.ts";
import type { EngineEntry, EngineStore, EngineWrite, Expiry } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { KeyLanes } from "./key-lanes.ts";
import { assertKey, assertKeyBound, showKey } from "./keys.ts";
import { assertWithin, BATCH_MAX, TTL_MS_MAX } from "./options.ts";
import type { ResolvedStoreLimits } from "./options.ts";
import { examineValue } from "./stored-value.ts";

/** What `openStore` has worked out. */
export interface TypedStoreParts {
  /** `greeter.visits`, for messages. */
  readonly label: string;
  /** Name of the engine, for messages. */
  readonly engine: string;
  readonly entries: EngineStore;
  readonly input: Codec;
  readonly output: Codec;
  readonly version: number;
  readonly upgrades: Upgrades;
  /** Why a time to live is refused, or `undefined` where it is welcome. */
  readonly ttlRefusal: ((ttlMs: number) => Error) | undefined;
  readonly limits: ResolvedStoreLimits;
  readonly clock: Clock;
  readonly random: Random;
}

const retryBackoff = { initialMs: 1, maxMs: 100 }; // a conflict is over as soon as it happened

export class TypedStore<V> implements Store<V> {
  readonly #parts: TypedStoreParts;
  readonly #entries: EngineStore;
  readonly #lanes = new KeyLanes();

  constructor(parts: TypedStoreParts) {
    this.#parts = parts;
    this.#entries = parts.entries;
  }

  async get(key: string, options: Waiting = {}): Promise<V | undefined> {
    const entry = await this.#read(key, options);
    return entry === undefined ? undefined : this.#decode(entry);
  }

  async getEntry(key: string, options: Waiting = {}): Promise<Entry<V> | undefined> {
    const entry = await this.#read(key, options);
    return entry === undefined ? undefined : this.#decodeEntry(entry);
  }

  async getMany(keys: readonly string[], options: Waiting = {}): Promise<Entry<V>[]> {
    this.#assertBatch(keys);
    assertNotAborted(options);
    try {
      const found = await this.#entries.getMany(keys, options);
      return found.flatMap((entry) => (entry === undefined ? [] : [this.#decodeEntry(entry)]));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async has(key: string, options: Waiting = {}): Promise<boolean> {
    assertKey(key, this.#parts.label);
    assertNotAborted(options);
    try {
      return await this.#entries.has(key, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async set(key: string, value: V, options: WriteOptions = {}): Promise<Etag> {
    const { ifMatch, ifAbsent, ttlMs } = options;
    if (ifMatch !== undefined && ifAbsent === true) throw this.#twoConditions(key);
    assertKey(key, this.#parts.label);
    const write = this.#encode(key, value, this.#expiryOf(ttlMs));
    assertNotAborted(options);
    const etag = await this.#write(write, options);
    if (etag === undefined) throw this.#conflict(key, ifAbsent === true);
    return etag;
  }

  async setMany(
    entries: readonly (readonly [key: string, value: V])[],
    options: Waiting & { readonly ttlMs?: number | undefined } = {},
  ): Promise<Etag[]> {
    const keys = entries.map(([key]) => key);
    this.#assertBatch(keys);
    this.#assertDistinct(keys);
    const expiry = this.#expiryOf(options.ttlMs);
    const writes = entries.map(([key, value]) => this.#encode(key, value, expiry));
    assertNotAborted(options);
    try {
      return [...(await this.#entries.setMany(writes, options))];
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    assertKey(key, this.#parts.label);
    assertNotAborted(options);
    let outcome;
    try {
      outcome = await this.#entries.delete(key, options);
    } catch (error) {
      throw this.#failure(error);
    }
    if (outcome.kind === "conflict") throw this.#conflict(key, false);
    return outcome.existed;
  }

  async deleteMany(keys: readonly string[], options: Waiting = {}): Promise<number> {
    this.#assertBatch(keys);
    assertNotAborted(options);
    try {
      return await this.#entries.deleteMany([...new Set(keys)], options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async scan(options: ScanOptions = {}): Promise<Page<V>> {
    const { prefix = "", after, limit = 100 } = options;
    assertKeyBound(prefix, this.#parts.label);
    if (after !== undefined) assertKeyBound(after, this.#parts.label);
    assertWithin("limit", limit, { min: 1, max: BATCH_MAX });
    assertNotAborted(options);
    try {
      // One more than asked for says whether there is a next page.
      const found = await this.#entries.scan({ prefix, after, limit: limit + 1 }, options);
      const page = found.slice(0, limit);
      const next = found.length > limit ? page.at(-1)?.key : undefined;
      return { entries: page.map((entry) => this.#decodeEntry(entry)), next };
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async update(
    key: string,
    change: (current: V | undefined) => V,
    options: Waiting = {},
  ): Promise<V> {
    assertKey(key, this.#parts.label);
    const { updatesWaitingMax } = this.#parts.limits;
    if (this.#lanes.waiting(key) >= updatesWaitingMax) {
      throw this.#contended(key, `${updatesWaitingMax} updates of it wait already`);
    }
    await this.#enterLane(key, options);
    try {
      return await this.#updateInLane(key, change, options);
    } finally {
      this.#lanes.leave(key);
    }
  }

  async #enterLane(key: string, options: Waiting): Promise<void> {
    assertNotAborted(options);
    try {
      await this.#lanes.enter(key, options);
    } catch (reason) {
      throw abortError(reason);
    }
  }

  /** The optimistic loop. Only writers outside this object can make it go round. */
  async #updateInLane(
    key: string,
    change: (current: V | undefined) => V,
    options: Waiting,
  ): Promise<V> {
    const { limits, clock, random, input } = this.#parts;
    for (let attempt = 1; attempt <= limits.updateTriesMax; attempt += 1) {
      const entry = await this.#read(key, options);
      const changed = change(entry === undefined ? undefined : this.#decode(entry));
      const write = this.#encode(key, changed, "keep");
      // Copied before the write: from then on the value is the engine's (I2). The codec keeps V.
      const result = input.parse(write.value, "trusted") as V;
      const condition = entry === undefined ? { ifAbsent: true } : { ifMatch: entry.etag };
      if ((await this.#write(write, condition)) !== undefined) return result;
      await this.#pause(backoffMs(attempt, random, retryBackoff), clock, options);
    }
    throw this.#contended(key, `other writers were faster ${limits.updateTriesMax} times`);
  }

  async #pause(delayMs: number, clock: Clock, options: Waiting): Promise<void> {
    try {
      await clock.sleep(delayMs, { signal: options.signal });
    } catch (reason) {
      throw abortError(reason);
    }
  }

  async #read(key: string, options: Waiting): Promise<EngineEntry | undefined> {
    assertKey(key, this.#parts.label);
    assertNotAborted(options);
    try {
      return await this.#entries.get(key, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** The new etag, or `undefined` when the condition does not hold. */
  async #write(write: EngineWrite, options: WriteOptions): Promise<Etag | undefined> {
    try {
      const outcome = await this.#entries.set(write, options);
      return outcome.kind === "written" ? outcome.etag : undefined;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #encode(key: string, value: V, expiry: Expiry): EngineWrite {
    const { label, input, limits, version } = this.#parts;
    if (isPromise(value)) {
      throw stateErrors.STATE_VALUE_INVALID(
        `The value for key ${showKey(key)} of store ${label} is a promise; await it first ` +
          `(the function given to update must be synchronous).`,
        { details: { store: label, key } },
      );
    }
    const examined = examineValue(input.parse(value, "strict"), limits.valueBytesMax);
    if (examined.issue !== undefined) {
      throw stateErrors.STATE_VALUE_INVALID(
        `The value for key ${showKey(key)} of store ${label} is not valid: ` +
          examined.issue.message,
        { details: { store: label, key, issues: [examined.issue] } },
      );
    }
    if (examined.bytes > limits.valueBytesMax) {
      throw stateErrors.STATE_VALUE_TOO_LARGE(
        `The value for key ${showKey(key)} of store ${label} is ${examined.bytes} bytes of JSON; ` +
          `at most ${limits.valueBytesMax} are allowed.`,
        { details: { store: label, key, bytes: examined.bytes, bytesMax: limits.valueBytesMax } },
      );
    }
    return { key, value: examined.value, version, expiry };
  }

  #decodeEntry(entry: EngineEntry): Entry<V> {
    return { key: entry.key, value: this.#decode(entry), etag: entry.etag };
  }

  #decode(entry: EngineEntry): V {
    const { version, output } = this.#parts;
    const value = entry.version === version ? entry.value : this.#upgrade(entry);
    try {
      // The codec has just checked it against the schema that V comes from.
      return output.parse(value, "tolerant") as V;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw this.#unreadable(entry, `does not fit its schema: ${reason}`, error);
    }
  }

  #upgrade(entry: EngineEntry): unknown {
    const { version, upgrades, label } = this.#parts;
    if (entry.version > version) {
      throw stateErrors.STATE_VALUE_NEWER(
        `Key ${showKey(entry.key)} of store ${label} was written at version ${entry.version}, ` +
          `this node knows ${version}; run the newer version of the service.`,
        { details: { store: label, key: entry.key, version: entry.version, known: version } },
      );
    }
    // An upgrade may change what it is given, and the engine still holds this object.
    let value: unknown = structuredClone(entry.value);
    for (let from = entry.version; from < version; from += 1) {
      const lift = upgrades[from];
      if (lift === undefined) {
        const text = `is of version ${from}, and the contract has no upgrade from it`;
        throw this.#unreadable(entry, text, undefined);
      }
      try {
        value = lift(value);
      } catch (cause) {
        throw this.#unreadable(entry, `could not be upgraded from version ${from}`, cause);
      }
    }
    return value;
  }

  #expiryOf(ttlMs: number | undefined): Expiry {
    if (ttlMs === undefined) return "none";
    const refusal = this.#parts.ttlRefusal?.(ttlMs);
    if (refusal !== undefined) throw refusal;
    assertWithin("ttlMs", ttlMs, { min: 1, max: TTL_MS_MAX });
    return ttlMs;
  }

  #assertBatch(keys: readonly string[]): void {
    const { label } = this.#parts;
    if (keys.length > BATCH_MAX) {
      throw stateErrors.STATE_BATCH_INVALID(
        `A batch of ${keys.length} keys for store ${label}; at most ${BATCH_MAX} go together.`,
      );
    }
    for (const key of keys) assertKey(key, label);
  }

  #assertDistinct(keys: readonly string[]): void {
    if (new Set(keys).size === keys.length) return;
    const twice = keys.find((key, index) => keys.indexOf(key) !== index);
    throw stateErrors.STATE_BATCH_INVALID(
      `The batch for store ${this.#parts.label} writes key ${showKey(twice)} twice; ` +
        `which value should stay is not clear.`,
    );
  }

  #twoConditions(key: string): Error {
    return stateErrors.STATE_OPTION_INVALID(
      `The write of key ${showKey(key)} to store ${this.#parts.label} has both ifMatch and ` +
        `ifAbsent, which can never hold together; give one.`,
    );
  }

  #conflict(key: string, ifAbsent: boolean): Error {
    const { label } = this.#parts;
    const why = ifAbsent ? "is there already" : "has another etag than ifMatch, or is not there";
    return stateErrors.STATE_VERSION_CONFLICT(
      `Key ${showKey(key)} of store ${label} ${why}; read it again and decide anew.`,
      { details: { store: label, key } },
    );
  }

  #contended(key: string, why: string): Error {
    const { label } = this.#parts;
    return stateErrors.STATE_UPDATE_CONTENDED(
      `Key ${showKey(key)} of store ${label} could not be updated: ${why}. Try again later.`,
      { details: { store: label, key }, retryAfterMs: 100 },
    );
  }

  #unreadable(entry: EngineEntry, why: string, cause: unknown): Error {
    const { label } = this.#parts;
    return stateErrors.STATE_VALUE_UNREADABLE(
      `The value of key ${showKey(entry.key)} in store ${label} ${why}. Raise the store's ` +
        `version and give an upgrade that makes it fit.`,
      { details: { store: label, key: entry.key, version: entry.version }, cause },
    );
  }

  #failure(error: unknown): Error {
    return engineFailure(error, this.#parts.engine, this.#parts.label);
  }
}

function assertNotAborted(options: Waiting): void {
  const reason = abortReasonOf(options);
  if (reason !== undefined) throw abortError(reason);
}

function isPromise(value: unknown): boolean {
  return typeof value === "object" && value !== null && value instanceof Promise;
}
