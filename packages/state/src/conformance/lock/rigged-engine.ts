/**
 * An engine between locks and the one under test, which fails when a check wants it: unreachable,
 * its answer lost, its write done late. What it passes on, it passes on as it is.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  Condition,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  EngineWrite,
  StateEngine,
  TransactionOutcome,
  WriteOutcome,
} from "../../engine.ts";
import { stateErrors } from "../../errors.ts";

/** What becomes of the next write. */
export type WriteFault =
  /** It is done, and nobody is told. */
  | { readonly kind: "answer lost" }
  /** It is not done, and nobody is told. */
  | { readonly kind: "request lost" }
  /** Its caller is told nothing, and it is done when the promise resolves. */
  | { readonly kind: "late"; readonly when: Promise<void> }
  /** It is done, and its caller is told so, when the promise resolves. */
  | { readonly kind: "slow"; readonly when: Promise<void> };

const TURNS_QUIET = 4; // an answer may come through a few promises

export class RiggedEngine implements StateEngine {
  readonly name;
  readonly durability;
  readonly capabilities;
  readonly medium;
  isReachable = true;
  /** Writes that were asked for. */
  writes = 0;
  #fault: WriteFault | undefined = undefined;
  #inFlight = 0;
  readonly #engine: StateEngine;
  readonly #real = new WeakMap<EngineStore, EngineStore>();

  constructor(engine: StateEngine) {
    this.#engine = engine;
    this.name = engine.name;
    this.durability = engine.durability;
    this.capabilities = engine.capabilities;
    this.medium = engine.medium;
  }

  /** The next write meets this; those after it do not. */
  next(fault: WriteFault): void {
    this.#fault = fault;
  }

  async openStore(spec: EngineStoreSpec): Promise<EngineStore> {
    const store = await this.#engine.openStore(spec);
    const rigged: EngineStore = {
      get: (key, options) => this.#ask(() => store.get(key, options)),
      getMany: (keys, options) => this.#ask(() => store.getMany(keys, options)),
      has: (key, options) => this.#ask(() => store.has(key, options)),
      scan: (scan, options) => this.#ask(() => store.scan(scan, options)),
      count: (options) => this.#ask(() => store.count(options)),
      set: (write: EngineWrite, condition?: Condition) =>
        this.#write<WriteOutcome>(() => store.set(write, condition)),
      setMany: (writes, options) => this.#write(() => store.setMany(writes, options)),
      delete: (key, condition) => this.#write(() => store.delete(key, condition)),
      deleteMany: (keys, options) => this.#write(() => store.deleteMany(keys, options)),
    };
    this.#real.set(rigged, store);
    return rigged;
  }

  transact({ checks, changes, riders }: EngineTransaction): Promise<TransactionOutcome> {
    const realOf = (store: EngineStore): EngineStore => this.#real.get(store) ?? store;
    const transaction = {
      checks: checks.map((check) => ({ ...check, store: realOf(check.store) })),
      changes: changes.map((change) => ({ ...change, store: realOf(change.store) })),
      riders,
    };
    return this.#write(() => {
      const outcome = this.#engine.transact?.(transaction);
      if (outcome === undefined) throw new TypeError("the engine under test has no transactions");
      return outcome;
    });
  }

  check(): void {}

  /** The engine under test is closed by who opened it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when nothing is under way that does not wait for a clock. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS_QUIET; quiet += 1) {
      await nextTurn();
      if (this.#inFlight > 0) quiet = 0;
    }
  }

  async #ask<T>(ask: () => T | Promise<T>): Promise<T> {
    this.#inFlight += 1;
    try {
      if (!this.isReachable) throw unreachable();
      return await ask();
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #write<T>(write: () => T | Promise<T>): Promise<T> {
    this.writes += 1;
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault?.kind === "request lost") throw unknown();
    if (fault?.kind === "late") {
      // Its end is nobody's business but the entries'.
      void fault.when.then(() => this.#ask(write)).catch(() => undefined);
      throw unknown();
    }
    if (fault?.kind === "slow") await fault.when;
    const outcome = await this.#ask(write);
    if (fault?.kind === "answer lost") throw unknown();
    return outcome;
  }
}

function unreachable(): Error {
  return stateErrors.STATE_ENGINE_UNAVAILABLE("The rigged engine is out of reach, as it was told.");
}

function unknown(): Error {
  return stateErrors.STATE_OUTCOME_UNKNOWN("The rigged engine lost the answer, as it was told.");
}
