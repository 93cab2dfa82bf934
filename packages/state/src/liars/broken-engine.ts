/** How a liar is made: the memory engine with one thing made wrong. */

import assert from "node:assert/strict";
import type { Clock } from "@banyan/kernel";
import type { Awaitable, EngineStore, EngineStoreSpec, StateEngine } from "../engine.ts";
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
  return {
    name: "liar",
    durability: base.durability,
    capabilities: base.capabilities,
    openStore: (spec) => {
      const store = now(base.openStore(spec));
      return { ...store, ...lie(store, { clock, spec }) };
    },
    check: (options) => base.check(options),
    close: () => base.close(),
    [Symbol.asyncDispose]: () => base.close(),
  };
}

export function liar(about: Omit<StateLiar, "open">, lie: Lie): StateLiar {
  return { ...about, open: (clock) => engineThat(clock, lie) };
}
