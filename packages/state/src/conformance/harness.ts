/** What a check works with: a fresh engine, a way to let time pass, and stores on demand. */

import assert from "node:assert/strict";
import { isBanyanError, t } from "@banyan/kernel";
import type { RevisedStore, Store, StoreSpec } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type { EngineStore, EngineTransaction, StateEngine, TransactionOutcome } from "../engine.ts";
import { openStore } from "../open-store.ts";
import type { StoreLimits } from "../options.ts";
import { createTransactor } from "../transaction.ts";
import type { Transactor, TransactorStores } from "../transaction.ts";

/** One engine under test, fresh and empty. */
export interface StateHarness {
  readonly engine: StateEngine;
  /** Lets time pass on the engine's clock: a fake clock moves, a real server is waited for. */
  advance(ms: number): Promise<void>;
  /** Closes the engine and opens it again over the same data. Needed when it is durable. */
  restart?(): Promise<StateEngine>;
  /** Closes the engine and removes its data. */
  close(): Promise<void>;
}

/** An engine presented to the law. */
export interface StateSuite {
  /** Of the engine, for titles. */
  readonly name: string;
  open(): Promise<StateHarness>;
  /** What the engine promises; it must declare exactly these. */
  readonly capabilities: readonly StateCapability[];
  /** Checks that do not apply, each with the reason. A name that is no check is a mistake. */
  readonly skips?: Readonly<Record<string, string>>;
  /** Seed of the random checks. Default: a new one; it is printed. */
  readonly seed?: number;
  /** Random histories tried. Default 100. */
  readonly runs?: number;
}

/** One sentence of the law. */
export interface StateCheck {
  readonly name: string;
  /** Applies only to an engine that is durable, or has this capability. */
  readonly needs?: StateCapability | "durable";
  run(subject: Subject): Promise<void>;
}

/** How a check opens a store; what is left out is the plainest. */
export interface SubjectStore {
  readonly scope?: string;
  readonly name?: string;
  readonly value?: StoreSpec["value"];
  readonly version?: number;
  readonly upgrade?: StoreSpec["upgrade"];
  readonly limits?: StoreLimits;
  readonly capabilities?: readonly string[];
}

export class Subject {
  readonly harness: StateHarness;
  readonly seed: number;
  readonly runs: number;
  #engine: StateEngine;

  constructor(harness: StateHarness, settings: { readonly seed: number; readonly runs: number }) {
    this.harness = harness;
    this.seed = settings.seed;
    this.runs = settings.runs;
    this.#engine = harness.engine;
  }

  get engine(): StateEngine {
    return this.#engine;
  }

  get expires(): boolean {
    return this.has(StateCapability.Expires);
  }

  has(capability: StateCapability): boolean {
    return this.#engine.capabilities.has(capability);
  }

  /** A store of any JSON, with a time to live where the engine can. */
  async store(options: SubjectStore = {}): Promise<Store<unknown>> {
    const { scope = "law", name = "store", value = t.Unknown(), limits } = options;
    const { version, upgrade, capabilities } = options;
    return openStore(this.#engine, {
      scope,
      name,
      spec: {
        value,
        durability: this.#engine.durability,
        ...(this.expires ? { expires: true } : {}),
        ...(version === undefined ? {} : { version }),
        ...(upgrade === undefined ? {} : { upgrade }),
        ...(capabilities === undefined ? {} : { capabilities }),
      },
      ...(limits === undefined ? {} : { limits }),
    });
  }

  /** The same, counting revisions. */
  async revisedStore(options: SubjectStore = {}): Promise<RevisedStore<unknown>> {
    const asked = [...(options.capabilities ?? []), StateCapability.Revisions];
    const store = await this.store({ ...options, capabilities: asked });
    // It asked for revisions, so its entries have them; the type cannot see what the list holds.
    return store as RevisedStore<unknown>;
  }

  /** The same entries, seen as the engine gives them. */
  async entries(options: Pick<SubjectStore, "scope" | "name" | "capabilities"> = {}) {
    const { scope = "law", name = "store" } = options;
    const wanted: readonly string[] = [StateCapability.Expires, ...(options.capabilities ?? [])];
    const entries: EngineStore = await this.#engine.openStore({
      scope,
      name,
      durability: this.#engine.durability,
      capabilities: new Set([...this.#engine.capabilities].filter((each) => wanted.includes(each))),
    });
    return entries;
  }

  /** A transaction as the engine is asked for it; what is left out is empty. */
  async transact(transaction: Partial<EngineTransaction>): Promise<TransactionOutcome> {
    assert(this.#engine.transact !== undefined, "the engine declares transactions and has none");
    return this.#engine.transact({ checks: [], changes: [], riders: [], ...transaction });
  }

  /** Transactions as authors have them. */
  transactor<S extends TransactorStores>(stores: S): Transactor<S> {
    return createTransactor({ engine: this.#engine, stores, limits: { updateTriesMax: 1000 } });
  }

  async restart(): Promise<void> {
    assert(this.harness.restart !== undefined, "A durable engine's harness must offer restart().");
    this.#engine = await this.harness.restart();
  }
}

/** Rejects with exactly this error. */
export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  assert("error" in outcome, `expected ${code}, but it resolved`);
  const { error } = outcome;
  assert(isBanyanError(error, code), `expected ${code}, but it was ${describe(error)}`);
}

function describe(error: unknown): string {
  if (isBanyanError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Reads as often as it can until the work has ended, and once more. */
export async function readDuring<T>(work: Promise<unknown>, read: () => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  const running = new Set([work]);
  const end = Promise.allSettled([work]).then(() => running.clear());
  while (running.size > 0) {
    for (let times = 0; times < 30; times += 1) found.push(await read());
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  await Promise.all([end, work]);
  return [...found, await read()];
}

/** Every key of a store, page by page. */
export async function allKeys(
  store: Store<unknown>,
  options: { readonly prefix?: string; readonly limit?: number } = {},
): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    // Each page begins where the last one ended.
    const page = await store.scan({ ...options, after });
    assert(page.entries.length > 0 || page.next === undefined, "an empty page has no next one");
    keys.push(...page.entries.map(({ key }) => key));
    assert(keys.length <= 100_000, "the pages never end");
    after = page.next;
  } while (after !== undefined);
  return keys;
}

/** The order that counts: by the bytes of the UTF-8. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
