/**
 * One run of a transaction: what it has read, what it will write, what rides along.
 *
 * What it owns: the entries read and the writes made, until the run ends.
 * What may interrupt it: nothing while it works; a read may wait for its engine, and what other
 * reads of the same run found meanwhile holds for it too.
 *
 * I1. A key is read once; every later read of it sees that entry, or what the run wrote since.
 * I2. What was written is valid, measured and a copy, before the call that wrote it returns.
 * I3. After its end it answers every call with CLOSED; what had begun before changes nothing more.
 */

import type { Etag, TransactionStore, Waiting } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type {
  Awaitable,
  CommitRider,
  EngineChange,
  EngineCheck,
  EngineEntry,
  EngineWrite,
  Expiry,
} from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { engineFailure } from "./failures.ts";
import { assertKey } from "./keys.ts";
import { BATCH_MAX } from "./options.ts";
import type { StoreCore } from "./store-core.ts";

type Written =
  | { readonly kind: "set"; readonly write: EngineWrite }
  | { readonly kind: "delete"; readonly key: string };

/** Prepares something that is committed with the transaction; called when its run has ended. */
export type StageRider = () => CommitRider;

/** A key of a store, for lanes and messages. */
export interface KeyPlace {
  readonly core: StoreCore<unknown>;
  readonly key: string;
}

/** The ledger of one run, shared by its stores. */
export class TransactionRun {
  readonly #views: TransactionView[] = [];
  readonly #stages: StageRider[] = [];
  #reads = 0;
  #writes = 0;
  #begun = 0;
  #ended = false;
  /** What an engine or a codec threw at a read: no conclusion to be checked, but a failure. */
  #failure: unknown = undefined;
  /** Of whoever waits for the transaction, and so for its reads. */
  readonly waiting: Waiting;

  constructor(waiting: Waiting) {
    this.waiting = waiting;
  }

  view(core: StoreCore<unknown>): TransactionView {
    const view = new TransactionView(core, this);
    this.#views.push(view);
    return view;
  }

  atCommit(stage: StageRider): void {
    this.assertOpen();
    this.#stages.push(stage);
  }

  /** Nothing can be read or written from now on; answers how much had begun and not ended. */
  end(): number {
    this.#ended = true;
    return this.#begun;
  }

  checks(): EngineCheck[] {
    return this.#views.flatMap((view) => view.checks());
  }

  changes(): EngineChange[] {
    return this.#views.flatMap((view) => view.changes());
  }

  /** Every key it has touched. */
  places(): KeyPlace[] {
    return this.#views.flatMap((view) => view.places());
  }

  /** All riders, or none and what the failing one threw. */
  stage(): CommitRider[] {
    const riders: CommitRider[] = [];
    try {
      for (const stage of this.#stages) riders.push(stage());
      return riders;
    } catch (error) {
      for (const rider of riders) rider.dropped();
      throw error;
    }
  }

  /** Whether this is what a read failed with, and no conclusion from what was read. */
  isFailure(error: unknown): boolean {
    return error !== undefined && error === this.#failure;
  }

  assertOpen(): void {
    if (!this.#ended) return;
    throw kernelErrors.CLOSED("The transaction has ended; use its stores inside of it only.");
  }

  countRead(label: string): void {
    this.#reads += 1;
    if (this.#reads > BATCH_MAX) throw tooLarge("reads", label);
  }

  countWrite(label: string): void {
    this.#writes += 1;
    if (this.#writes > BATCH_MAX) throw tooLarge("writes", label);
  }

  /** Waits for a read and uses what it found; an end of the run before that is noticed. */
  async during<T>(read: Promise<void>, use: () => T): Promise<T> {
    this.#begun += 1;
    try {
      await read;
      return use();
    } finally {
      this.#begun -= 1;
    }
  }

  /** The same error, known as one that says nothing about what was read. */
  failed(error: Error): Error {
    this.#failure = error;
    return error;
  }
}

/** One store inside a run. */
export class TransactionView implements TransactionStore<unknown> {
  readonly #core: StoreCore<unknown>;
  readonly #run: TransactionRun;
  readonly #seen = new Map<string, EngineEntry | undefined>();
  readonly #written = new Map<string, Written>();

  constructor(core: StoreCore<unknown>, run: TransactionRun) {
    this.#core = core;
    this.#run = run;
  }

  get(key: string): Promise<unknown> {
    return this.#afterReading(key, () => this.#current(key));
  }

  has(key: string): Promise<boolean> {
    return this.#afterReading(key, () => {
      const written = this.#written.get(key);
      return written === undefined ? this.#seen.get(key) !== undefined : written.kind === "set";
    });
  }

  /** Of the entry as it was read; for who has conditions of its own. */
  etagOf(key: string): Promise<Etag | undefined> {
    return this.#afterReading(key, () => this.#seen.get(key)?.etag);
  }

  set(key: string, value: unknown, options: { readonly ttlMs?: number | undefined } = {}): void {
    this.#assertReady(key);
    this.#put(key, value, this.#core.codec.expiryOf(options.ttlMs));
  }

  /** What was encoded and checked already. */
  write(write: EngineWrite): void {
    this.#assertReady(write.key);
    this.#note(write.key, { kind: "set", write });
  }

  delete(key: string): void {
    this.#assertReady(key);
    this.#note(key, { kind: "delete", key });
  }

  update(key: string, change: (current: unknown) => unknown): Promise<unknown> {
    return this.#afterReading(key, () => {
      const { codec } = this.#core;
      return codec.copy(this.#put(key, change(this.#current(key)), this.#expiryKept(key)));
    });
  }

  checks(): EngineCheck[] {
    const store = this.#core.entries;
    return Array.from(this.#seen, ([key, entry]) => ({ store, key, etag: entry?.etag }));
  }

  changes(): EngineChange[] {
    const store = this.#core.entries;
    return Array.from(this.#written.values(), (written) => ({ ...written, store }));
  }

  places(): KeyPlace[] {
    const keys = new Set([...this.#seen.keys(), ...this.#written.keys()]);
    return Array.from(keys, (key) => ({ core: this.#core, key }));
  }

  /** In this turn where the engine answers at once: then `use` cannot come too late. */
  async #afterReading<T>(key: string, use: () => T): Promise<T> {
    const reading = this.#see(key);
    return reading === undefined ? use() : this.#run.during(reading, use);
  }

  /** Reads the entry unless the run knows the key; a promise only where the engine makes one. */
  #see(key: string): Promise<void> | undefined {
    this.#assertReady(key);
    if (this.#seen.has(key) || this.#written.has(key)) return undefined;
    this.#run.countRead(this.#core.label);
    const { entries } = this.#core;
    const { waiting } = this.#run;
    let read: Awaitable<EngineEntry | undefined>;
    try {
      read =
        entries.latest === undefined ? entries.get(key, waiting) : entries.latest(key, waiting);
    } catch (error) {
      throw this.#failed(error);
    }
    if (read instanceof Promise) return this.#seeLater(key, read);
    this.#seen.set(key, read);
    return undefined;
  }

  async #seeLater(key: string, read: Promise<EngineEntry | undefined>): Promise<void> {
    let entry: EngineEntry | undefined;
    try {
      entry = await read;
    } catch (error) {
      throw this.#failed(error);
    }
    if (!this.#seen.has(key)) this.#seen.set(key, entry);
  }

  /** A fresh copy of what the run would find (I1). */
  #current(key: string): unknown {
    const { codec } = this.#core;
    const written = this.#written.get(key);
    if (written?.kind === "set") return codec.decode(written.write);
    const entry = written === undefined ? this.#seen.get(key) : undefined;
    return entry === undefined ? undefined : codec.decode(entry);
  }

  #expiryKept(key: string): Expiry {
    const written = this.#written.get(key);
    if (written === undefined) return "keep";
    return written.kind === "set" ? written.write.expiry : "none";
  }

  #put(key: string, value: unknown, expiry: Expiry): EngineWrite {
    const write = this.#core.codec.encode(key, value, expiry);
    this.#note(key, { kind: "set", write });
    return write;
  }

  #note(key: string, written: Written): void {
    if (!this.#written.has(key)) this.#run.countWrite(this.#core.label);
    this.#written.set(key, written);
  }

  #assertReady(key: string): void {
    this.#run.assertOpen();
    assertKey(key, this.#core.label);
  }

  #failed(error: unknown): Error {
    return this.#run.failed(engineFailure(error, this.#core.engine.name, this.#core.label));
  }
}

function tooLarge(what: string, label: string): Error {
  return stateErrors.STATE_BATCH_INVALID(
    `A transaction ${what} more than ${BATCH_MAX} keys, the last one of store ${label}; split it, ` +
      `or use setMany for what need not be one step.`,
  );
}
