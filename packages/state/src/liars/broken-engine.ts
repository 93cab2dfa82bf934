/** How a liar is made: the memory engine with one thing made wrong. */

import assert from "node:assert/strict";
import type { Clock } from "@banyan/kernel";
import type {
  Awaitable,
  EngineStore,
  EngineStoreSpec,
  EngineTransaction,
  StateEngine,
  TransactionOutcome,
} from "../engine.ts";
import { openMemoryEngine } from "../memory.ts";

/** One broken engine. */
export interface StateLiar {
  readonly name: string;
  /** What it does wrong, and where such a thing comes from. */
  readonly lie: string;
  /** The check that must break on it (others may as well). */
  readonly caughtBy: string;
  open(clock: Clock): StateEngine;
  /** For lies about restarts: what opening the same data again gives. */
  readonly reopen?: (clock: Clock) => StateEngine;
}

/** The methods that are not what they should be. */
export type Lie = (store: EngineStore, world: World) => Partial<EngineStore>;

interface World {
  readonly clock: Clock;
  readonly spec: EngineStoreSpec;
}

/** How a transaction ends that is not done as it should be; `honest` does it as it should. */
export type TransactionLie = (
  transaction: EngineTransaction,
  honest: (transaction: EngineTransaction) => Awaitable<TransactionOutcome>,
) => Awaitable<TransactionOutcome>;

/** The memory engine answers at once; lies are told in the same turn, so that they do not race. */
export function now<T>(answer: Awaitable<T>): T {
  assert(!(answer instanceof Promise), "the memory engine is synchronous");
  return answer;
}

export function engineThat(
  clock: Clock,
  lie: Lie,
  base = openMemoryEngine({ clock }),
): StateEngine {
  const real = new WeakMap<EngineStore, EngineStore>();
  const realOf = (store: EngineStore): EngineStore => real.get(store) ?? store;
  return {
    name: "liar",
    durability: base.durability,
    capabilities: base.capabilities,
    medium: base.medium,
    outbox: base.outbox,
    openStore: (spec) => {
      const store = now(base.openStore(spec));
      const lying = { ...store, ...lie(store, { clock, spec }) };
      real.set(lying, store);
      return lying;
    },
    transact: ({ checks, changes, riders }) =>
      honestly(base, {
        checks: checks.map((check) => ({ ...check, store: realOf(check.store) })),
        changes: changes.map((change) => ({ ...change, store: realOf(change.store) })),
        riders,
      }),
    check: (options) => base.check(options),
    close: () => base.close(),
    [Symbol.asyncDispose]: () => base.close(),
  };
}

function honestly(
  engine: StateEngine,
  transaction: EngineTransaction,
): Awaitable<TransactionOutcome> {
  assert(engine.transact !== undefined, "the engine behind a liar has transactions");
  return engine.transact(transaction);
}

export function liar(about: Omit<StateLiar, "open">, lie: Lie): StateLiar {
  return { ...about, open: (clock) => engineThat(clock, lie) };
}

/** The same for a lie about transactions. */
export function transactionLiar(about: Omit<StateLiar, "open">, lie: TransactionLie): StateLiar {
  return {
    ...about,
    open: (clock) => {
      const base = openMemoryEngine({ clock });
      const honest = (transaction: EngineTransaction) => honestly(base, transaction);
      const engine = engineThat(clock, () => ({}), base);
      // Its stores are the real ones, so that a lie can hand them on as they are.
      return {
        ...engine,
        openStore: (spec) => base.openStore(spec),
        transact: (each) => lie(each, honest),
      };
    },
  };
}
