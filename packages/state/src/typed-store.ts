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
 * I5. An update that builds on a write which is not acknowledged yet is told only when that write
 *     is there: its own write has a condition, and what `change` threw is checked before it passes.
 */

import { backoffMs } from "@banyan/kernel";
import type {
  DeleteOptions,
  Entry,
  Etag,
  Page,
  Repeatable,
  ScanOptions,
  Store,
  Waiting,
  WriteOptions,
} from "@banyan/kernel";
import type {
  Awaitable,
  Condition,
  EngineEntry,
  EngineStore,
  EngineWrite,
  WriteOutcome,
} from "./engine.ts";
import type { EntryCodec } from "./entry-codec.ts";
import { stateErrors } from "./errors.ts";
import {
  abortError,
  assertNotAborted,
  conflictError,
  contendedError,
  engineFailure,
} from "./failures.ts";
import { assertKey, assertKeyBound, showKey } from "./keys.ts";
import { assertWithin, BATCH_MAX } from "./options.ts";
import { RecordedWrites } from "./recorded-writes.ts";
import type { StoreCore } from "./store-core.ts";

/** How one try of an update went, up to the engine's answer. */
type Trial<V> =
  | { readonly kind: "handed"; readonly outcome: Awaitable<WriteOutcome>; readonly result: V }
  | { readonly kind: "thrown"; readonly error: unknown; readonly etag: Etag | undefined };

interface Changing<V> {
  readonly change: (current: V | undefined) => V;
  readonly options: Waiting;
}

/** That an entry is as it was read. The signal of a call is made when an engine asks for it. */
class EntryCondition implements Condition {
  readonly ifMatch: Etag | undefined;
  readonly ifAbsent: boolean;
  readonly #waiting: Waiting;

  constructor(etag: Etag | undefined, waiting: Waiting) {
    this.ifMatch = etag;
    this.ifAbsent = etag === undefined;
    this.#waiting = waiting;
  }

  get signal(): AbortSignal | undefined {
    return this.#waiting.signal;
  }
}

const retryBackoff = { initialMs: 1, maxMs: 100 }; // a conflict is over as soon as it happened
const noOptions = Object.freeze({});

export class TypedStore<V> implements Store<V> {
  readonly #core: StoreCore<V>;
  readonly #entries: EngineStore;
  readonly #codec: EntryCodec<V>;
  readonly #label: string;
  /** Whether an update may build on one that is not acknowledged yet (E8). */
  readonly #pipelines: boolean;
  /** Made by the first write with an `operationId`. */
  #recorded: RecordedWrites<V> | undefined = undefined;

  constructor(core: StoreCore<V>) {
    this.#core = core;
    this.#entries = core.entries;
    this.#codec = core.codec;
    this.#label = core.label;
    this.#pipelines = core.entries.latest !== undefined && core.engine.transact !== undefined;
  }

  /** What a transaction works with; `undefined` for a store that this package did not make. */
  static coreOf<V>(store: Store<V>): StoreCore<V> | undefined {
    return store instanceof TypedStore ? store.#core : undefined;
  }

  // No promise of its own where the engine answers at once: this is the hottest path there is.
  async get(key: string, options: Waiting = noOptions): Promise<V | undefined> {
    const value = this.read(key, options);
    return value instanceof Promise ? await value : value;
  }

  /** What `get` answers, at once where the engine does; throws at once, too. */
  protected read(key: string, options: Waiting): Awaitable<V | undefined> {
    const read = this.#read(key, options);
    if (read instanceof Promise) return this.#decoded(read);
    return read === undefined ? undefined : this.#codec.decode(read);
  }

  async #decoded(read: Promise<EngineEntry | undefined>): Promise<V | undefined> {
    const entry = await this.#named(read);
    return entry === undefined ? undefined : this.#codec.decode(entry);
  }

  async getEntry(key: string, options: Waiting = noOptions): Promise<Entry<V> | undefined> {
    const read = this.#read(key, options);
    const entry = read instanceof Promise ? await this.#named(read) : read;
    return entry === undefined ? undefined : this.#codec.decodeEntry(entry);
  }

  async getMany(keys: readonly string[], options: Waiting = noOptions): Promise<Entry<V>[]> {
    this.#assertBatch(keys);
    assertNotAborted(options);
    const found = await this.#ask(() => this.#entries.getMany(keys, options));
    return found.flatMap((entry) => (entry === undefined ? [] : [this.#codec.decodeEntry(entry)]));
  }

  async has(key: string, options: Waiting = noOptions): Promise<boolean> {
    assertKey(key, this.#label);
    assertNotAborted(options);
    return this.#ask(() => this.#entries.has(key, options));
  }

  async set(key: string, value: V, options: WriteOptions = noOptions): Promise<Etag> {
    const { ifMatch, ifAbsent, ttlMs } = options;
    if (ifMatch !== undefined && ifAbsent === true) throw this.#twoConditions(key);
    assertKey(key, this.#label);
    const write = this.#codec.encode(key, value, this.#codec.expiryOf(ttlMs));
    assertNotAborted(options);
    if (isNamed(options)) return this.#recordedWrites().set(write, options);
    const written = this.#write(write, options);
    const outcome = written instanceof Promise ? await this.#named(written) : written;
    if (outcome.kind === "conflict") throw conflictError(this.#label, key, ifAbsent === true);
    return outcome.etag;
  }

  async setMany(
    entries: readonly (readonly [key: string, value: V])[],
    options: Repeatable & { readonly ttlMs?: number | undefined } = noOptions,
  ): Promise<Etag[]> {
    const keys = entries.map(([key]) => key);
    this.#assertBatch(keys);
    this.#assertDistinct(keys);
    const expiry = this.#codec.expiryOf(options.ttlMs);
    const writes = entries.map(([key, value]) => this.#codec.encode(key, value, expiry));
    assertNotAborted(options);
    if (isNamed(options)) return this.#recordedWrites().setMany(writes, options);
    return [...(await this.#ask(() => this.#entries.setMany(writes, options)))];
  }

  async delete(key: string, options: DeleteOptions = noOptions): Promise<boolean> {
    assertKey(key, this.#label);
    assertNotAborted(options);
    if (isNamed(options)) return this.#recordedWrites().delete(key, options);
    const outcome = await this.#ask(() => this.#entries.delete(key, options));
    if (outcome.kind === "conflict") throw conflictError(this.#label, key, false);
    return outcome.existed;
  }

  async deleteMany(keys: readonly string[], options: Repeatable = noOptions): Promise<number> {
    this.#assertBatch(keys);
    assertNotAborted(options);
    const distinct = [...new Set(keys)];
    if (isNamed(options)) return this.#recordedWrites().deleteMany(distinct, options);
    return this.#ask(() => this.#entries.deleteMany(distinct, options));
  }

  async scan(options: ScanOptions = noOptions): Promise<Page<V>> {
    const { prefix = "", after, limit = 100 } = options;
    assertKeyBound(prefix, this.#label);
    if (after !== undefined) assertKeyBound(after, this.#label);
    assertWithin("limit", limit, { min: 1, max: BATCH_MAX });
    assertNotAborted(options);
    // One more than asked for says whether there is a next page.
    const scan = { prefix, after, limit: limit + 1 };
    const found = await this.#ask(() => this.#entries.scan(scan, options));
    const page = found.slice(0, limit);
    const next = found.length > limit ? page.at(-1)?.key : undefined;
    return { entries: page.map((entry) => this.#codec.decodeEntry(entry)), next };
  }

  async count(options: Waiting = noOptions): Promise<number> {
    assertNotAborted(options);
    return this.#ask(() => this.#entries.count(options));
  }

  /**
   * The optimistic loop. Where the engine shows what is on its way (`latest`), the lane is left as
   * soon as the write was handed over, so that a hundred updates of one key share a commit or two.
   */
  async update(
    key: string,
    change: (current: V | undefined) => V,
    options: Repeatable = noOptions,
  ): Promise<V> {
    const { lanes, limits } = this.#core;
    assertKey(key, this.#label);
    if (isNamed(options)) return this.#recordedWrites().update(key, change, options);
    for (let attempt = 1; attempt <= limits.updateTriesMax; attempt += 1) {
      assertNotAborted(options);
      const entering = this.#enterLane(key, options);
      if (entering !== undefined) await entering;
      let trial: Trial<V>;
      try {
        const read = this.#readLatest(key, options);
        const entry = read instanceof Promise ? await this.#named(read) : read;
        trial = this.#try(key, entry, { change, options });
        // Its failure is heard below; here it is only waited for.
        if (!this.#pipelines && trial.kind === "handed" && trial.outcome instanceof Promise) {
          await trial.outcome.catch(ignore);
        }
      } finally {
        lanes.leave(key);
      }
      if (trial.kind === "handed") {
        const { outcome, result } = trial;
        const ended = outcome instanceof Promise ? await this.#named(outcome) : outcome;
        if (ended.kind === "written") return result;
      } else if (await this.#isStill(key, trial.etag, options)) throw trial.error;
      await this.#pause(attempt, options);
    }
    throw contendedError(this.#label, key, `others were faster ${limits.updateTriesMax} times`);
  }

  /** In one turn: what the entry becomes, and the write of it, handed over. */
  #try(key: string, entry: EngineEntry | undefined, { change, options }: Changing<V>): Trial<V> {
    const codec = this.#codec;
    let write: EngineWrite;
    let result: V;
    try {
      write = codec.encode(key, change(entry && codec.decode(entry)), "keep");
      // Copied before the write: from then on the value is the engine's (I2).
      result = codec.copy(write);
    } catch (error) {
      return { kind: "thrown", error, etag: entry?.etag };
    }
    const condition = new EntryCondition(entry?.etag, options);
    return { kind: "handed", outcome: this.#write(write, condition), result };
  }

  /** Whether what a change threw about was really stored, or still is on its way (I5). */
  async #isStill(key: string, etag: Etag | undefined, options: Waiting): Promise<boolean> {
    const { engine } = this.#core;
    if (!this.#pipelines) return true;
    const nothing = { checks: [{ store: this.#entries, key, etag }], changes: [], riders: [] };
    const outcome = await this.#ask(() => engine.transact?.(nothing, options));
    return outcome?.kind !== "conflict";
  }

  /** @throws STATE_UPDATE_CONTENDED when too many wait already */
  #enterLane(key: string, options: Waiting): Promise<void> | undefined {
    const { lanes, limits } = this.#core;
    if (lanes.waiting(key) >= limits.updatesWaitingMax) {
      const why = `${limits.updatesWaitingMax} updates of it wait already`;
      throw contendedError(this.#label, key, why);
    }
    return lanes.enter(key, options)?.catch(throwAbortError);
  }

  async #pause(attempt: number, options: Waiting): Promise<void> {
    const { clock, random } = this.#core;
    const delayMs = backoffMs(attempt, random, retryBackoff);
    await clock.sleep(delayMs, { signal: options.signal }).catch(throwAbortError);
  }

  #read(key: string, options: Waiting): Awaitable<EngineEntry | undefined> {
    assertKey(key, this.#label);
    assertNotAborted(options);
    try {
      return this.#entries.get(key, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #readLatest(key: string, options: Waiting): Awaitable<EngineEntry | undefined> {
    const entries = this.#entries;
    try {
      return this.#pipelines && entries.latest !== undefined
        ? entries.latest(key, options)
        : entries.get(key, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #write(write: EngineWrite, options: WriteOptions): Awaitable<WriteOutcome> {
    try {
      return this.#entries.set(write, options);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #ask<T>(ask: () => Awaitable<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** The same answer, its failure by our names (I4). */
  #named<T>(answer: Promise<T>): Promise<T> {
    return answer.catch(this.#throwFailure);
  }

  readonly #throwFailure = (error: unknown): never => {
    throw this.#failure(error);
  };

  #failure(error: unknown): Error {
    return engineFailure(error, this.#core.engine.name, this.#label);
  }

  #assertBatch(keys: readonly string[]): void {
    if (keys.length > BATCH_MAX) {
      throw stateErrors.STATE_BATCH_INVALID(
        `A batch of ${keys.length} keys for store ${this.#label}; at most ${BATCH_MAX} go together.`,
      );
    }
    for (const key of keys) assertKey(key, this.#label);
  }

  #assertDistinct(keys: readonly string[]): void {
    if (new Set(keys).size === keys.length) return;
    const twice = keys.find((key, index) => keys.indexOf(key) !== index);
    throw stateErrors.STATE_BATCH_INVALID(
      `The batch for store ${this.#label} writes key ${showKey(twice)} twice; ` +
        `which value should stay is not clear.`,
    );
  }

  #twoConditions(key: string): Error {
    return stateErrors.STATE_OPTION_INVALID(
      `The write of key ${showKey(key)} to store ${this.#label} has both ifMatch and ` +
        `ifAbsent, which can never hold together; give one.`,
    );
  }

  #recordedWrites(): RecordedWrites<V> {
    this.#recorded ??= new RecordedWrites(this.#core);
    return this.#recorded;
  }
}

/** Whether it may be asked again. */
function isNamed<O extends Repeatable>(
  options: O,
): options is O & { readonly operationId: string } {
  return options.operationId !== undefined;
}

function ignore(): void {}

function throwAbortError(reason: unknown): never {
  throw abortError(reason);
}
