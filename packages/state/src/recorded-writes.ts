/**
 * The writes of a store that have an `operationId`: each is a transaction of its own, committed
 * with its record.
 *
 * What it owns: nothing; the loop has the records. What may interrupt it: what may interrupt a
 * transaction.
 *
 * I1. What is answered was recorded, so that asking again answers the same: an etag is made before
 *     its write, and what was there is read and insisted on.
 */

import type { DeleteOptions, Etag, Repeatable, WriteOptions } from "@banyan/kernel";
import { requestDigest } from "@banyan/kernel/internal";
import { StateCapability } from "./engine.ts";
import type { EngineWrite } from "./engine.ts";
import { createEtagSource } from "./etags.ts";
import { conflictError, engineFailure } from "./failures.ts";
import { assertOperationId } from "./operation-records.ts";
import type { Operation } from "./operation-records.ts";
import type { StoreCore } from "./store-core.ts";
import { TransactionLoop } from "./transaction-loop.ts";

/** A write that brings what makes it repeatable. */
type Asked<O extends Repeatable> = O & { readonly operationId: string };

/** The loop, and the store as transactions use it. */
interface Way {
  readonly core: StoreCore<unknown>;
  readonly loop: TransactionLoop;
}

/** Keys, values and options were checked by the store. */
export class RecordedWrites<V> {
  readonly #core: StoreCore<V>;
  readonly #nextEtag: () => Etag;
  #way: Way | undefined = undefined;

  constructor(core: StoreCore<V>) {
    this.#core = core;
    this.#nextEtag = createEtagSource(core.random);
  }

  async set(write: EngineWrite, options: Asked<WriteOptions>): Promise<Etag> {
    const { ifMatch, ifAbsent = false } = options;
    const { key, value, expiry } = write;
    const request = ["set", { key, value, expiry, ifMatch, ifAbsent }];
    const operation = this.#operation<Etag>(options, request, { isBlind: true });
    const { core, loop } = await this.#open();
    return loop.once(
      async (run) => {
        const view = run.view(core);
        const isFree = ifMatch === undefined && !ifAbsent;
        if (!isFree && (await view.etagOf(key)) !== ifMatch) {
          throw conflictError(core.label, key, ifAbsent);
        }
        const etag = this.#nextEtag();
        view.write({ ...write, etag });
        return etag;
      },
      options,
      operation,
    );
  }

  async setMany(writes: readonly EngineWrite[], options: Asked<Repeatable>): Promise<Etag[]> {
    const entries = writes.map(({ key, value, expiry }) => ({ key, value, expiry }));
    const operation = this.#operation<Etag[]>(options, ["setMany", entries], { isBlind: true });
    const { core, loop } = await this.#open();
    return loop.once(
      (run) => {
        const view = run.view(core);
        return writes.map((write) => {
          const etag = this.#nextEtag();
          view.write({ ...write, etag });
          return etag;
        });
      },
      options,
      operation,
    );
  }

  async delete(key: string, options: Asked<DeleteOptions>): Promise<boolean> {
    const { ifMatch } = options;
    const operation = this.#operation<boolean>(options, ["delete", { key, ifMatch }]);
    const { core, loop } = await this.#open();
    return loop.once(
      async (run) => {
        const view = run.view(core);
        const etag = await view.etagOf(key);
        if (ifMatch !== undefined && etag !== ifMatch) throw conflictError(core.label, key, false);
        if (etag !== undefined) view.delete(key);
        return etag !== undefined;
      },
      options,
      operation,
    );
  }

  /** @param keys each once */
  async deleteMany(keys: readonly string[], options: Asked<Repeatable>): Promise<number> {
    const request = ["deleteMany", keys.toSorted()];
    const operation = this.#operation<number>(options, request);
    const { core, loop } = await this.#open();
    return loop.once(
      async (run) => {
        const view = run.view(core);
        const found = await Promise.all(keys.map(async (key) => view.has(key)));
        const there = keys.filter((_, at) => found[at] === true);
        for (const key of there) view.delete(key);
        return there.length;
      },
      options,
      operation,
    );
  }

  async update(
    key: string,
    change: (current: V | undefined) => V,
    options: Asked<Repeatable>,
  ): Promise<V> {
    const { codec } = this.#core;
    const operation = this.#operation<V>(options, ["update", { key }], {
      encode: (result) => {
        const { value, version } = codec.encode(key, result, "keep");
        return { value, version };
      },
      decode: (answer) => {
        // What `encode` made, of this version of the schema or one before.
        const { value, version } = answer as { readonly value: unknown; readonly version: number };
        return codec.decode({ key, value, version });
      },
    });
    const { core, loop } = await this.#open();
    return loop.once(
      (run) => {
        const view = run.view(core);
        // The view is that of this very store, whose codec keeps V.
        return view.update(key, (current) => change(current as V | undefined)) as Promise<V>;
      },
      options,
      operation,
    );
  }

  /** @throws STATE_OPERATION_INVALID */
  #operation<R>(
    { operationId: id }: Asked<Repeatable>,
    request: readonly unknown[],
    how: Partial<Operation<R>> = {},
  ): Operation<R> {
    assertOperationId(id);
    return {
      id,
      digest: requestDigest([this.#core.name, ...request]),
      isBlind: false,
      // Etags, counts and the like: JSON data that nobody can change.
      encode: (result) => result,
      decode: (answer) => answer as R, // what `encode` recorded under this very digest
      ...how,
    };
  }

  async #open(): Promise<Way> {
    this.#way ??= await this.#openWay();
    return this.#way;
  }

  async #openWay(): Promise<Way> {
    const { engine, name, clock, random, limits } = this.#core;
    const core = await this.#transactional();
    const cores = new Map([[name, core]]);
    return { core, loop: new TransactionLoop({ engine, cores, clock, random, limits }) };
  }

  /** The same store, opened for transactions where its declaration did not ask for them. */
  async #transactional(): Promise<StoreCore<unknown>> {
    // One of V is one of unknown to whoever only passes values through its codec.
    const core = this.#core as unknown as StoreCore<unknown>;
    const { engine, scope, name, label, capabilities, durability } = core;
    const what = StateCapability.Transaction;
    if (capabilities.has(what) || !engine.capabilities.has(what)) return core;
    const asked = new Set([...capabilities, what]);
    try {
      const entries = await engine.openStore({ scope, name, durability, capabilities: asked });
      return { ...core, entries, capabilities: asked };
    } catch (error) {
      throw engineFailure(error, engine.name, label);
    }
  }
}
