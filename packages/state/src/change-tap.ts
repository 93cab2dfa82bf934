/**
 * An engine that tells of the changes that it acknowledged in some of its stores: for watching what
 * happens, not for building on it. A write whose outcome is not known is not told, and what is told
 * says which key changed, never to what.
 *
 * C1. Nobody is told before the writer's promise can resolve, and nothing of a conflict.
 * C2. Stores that nobody wants to hear of are the engine's own, and cost nothing.
 */

import type { Awaitable, EngineChange, EngineStore, StateEngine, StoreName } from "./engine.ts";

export interface StoreChange extends StoreName {
  readonly operation: "set" | "delete";
  readonly keys: readonly string[];
}

export interface ChangeTapOptions {
  readonly wants: (store: StoreName) => boolean;
  /** Must not throw. */
  readonly changed: (change: StoreChange) => void;
}

const realEngines = new WeakMap<StateEngine, StateEngine>();

/** The engine under its taps; one without is itself. */
export function untapped(engine: StateEngine): StateEngine {
  const real = realEngines.get(engine);
  return real === undefined ? engine : untapped(real);
}

/** The same engine, with taps on its stores. */
export function tapChanges(engine: StateEngine, options: ChangeTapOptions): StateEngine {
  const real = new WeakMap<EngineStore, TappedStore>();
  const realOf = (store: EngineStore): EngineStore => real.get(store)?.real ?? store;
  const tapped: StateEngine = {
    ...optionalPartsOf(engine),
    name: engine.name,
    durability: engine.durability,
    capabilities: engine.capabilities,
    async openStore(spec) {
      const store = await engine.openStore(spec);
      if (!options.wants(spec)) return store;
      const { scope, name } = spec;
      const tap = tapOf(store, (operation, keys) =>
        options.changed({ scope, name, operation, keys }),
      );
      real.set(tap, { real: store, scope, name });
      return tap;
    },
    check: (waiting) => engine.check(waiting),
    close: () => engine.close(),
    [Symbol.asyncDispose]: () => engine.close(),
  };
  realEngines.set(tapped, engine);
  if (engine.transact === undefined) return tapped;
  const transacting: StateEngine = {
    ...tapped,
    async transact({ checks, changes, riders }, waiting) {
      const outcome = await engine.transact?.(
        {
          checks: checks.map((check) => ({ ...check, store: realOf(check.store) })),
          changes: changes.map((change) => ({ ...change, store: realOf(change.store) })),
          riders,
        },
        waiting,
      );
      if (outcome === undefined) throw new Error("An engine lost its transactions.");
      if (outcome.kind === "committed") {
        for (const change of toldOf(changes, real)) options.changed(change);
      }
      return outcome;
    },
  };
  realEngines.set(transacting, engine);
  return transacting;
}

interface TappedStore extends StoreName {
  readonly real: EngineStore;
}

/** What not every engine has. */
function optionalPartsOf(engine: StateEngine): Partial<StateEngine> {
  const { medium, backup, outbox } = engine;
  return {
    ...(medium === undefined ? {} : { medium }),
    ...(backup === undefined ? {} : { backup: backup.bind(engine) }),
    ...(outbox === undefined ? {} : { outbox }),
  };
}

/** One change for each store and kind of operation, in the order in which they came. */
function toldOf(
  changes: readonly EngineChange[],
  taps: WeakMap<EngineStore, TappedStore>,
): StoreChange[] {
  const told = new Map<string, StoreChange & { readonly keys: string[] }>();
  for (const change of changes) {
    const tap = taps.get(change.store);
    if (tap === undefined) continue;
    const { scope, name } = tap;
    const id = JSON.stringify([scope, name, change.kind]);
    const known = told.get(id) ?? { scope, name, operation: change.kind, keys: [] };
    known.keys.push(change.kind === "set" ? change.write.key : change.key);
    told.set(id, known);
  }
  return [...told.values()];
}

type Tell = (operation: StoreChange["operation"], keys: readonly string[]) => void;

function tapOf(store: EngineStore, tell: Tell): EngineStore {
  const { latest } = store;
  return {
    ...(latest === undefined ? {} : { latest: (key, options) => latest.call(store, key, options) }),
    get: (key, options) => store.get(key, options),
    getMany: (keys, options) => store.getMany(keys, options),
    has: (key, options) => store.has(key, options),
    scan: (scan, options) => store.scan(scan, options),
    count: (options) => store.count(options),
    set: (write, condition) =>
      then(store.set(write, condition), ({ kind }) => {
        if (kind === "written") tell("set", [write.key]);
      }),
    setMany: (writes, options) =>
      then(store.setMany(writes, options), () => {
        if (writes.length > 0)
          tell(
            "set",
            writes.map(({ key }) => key),
          );
      }),
    delete: (key, condition) =>
      then(store.delete(key, condition), (outcome) => {
        if (outcome.kind === "deleted" && outcome.existed) tell("delete", [key]);
      }),
    deleteMany: (keys, options) =>
      then(store.deleteMany(keys, options), (existed) => {
        if (existed > 0) tell("delete", keys);
      }),
  };
}

/** At once where the answer is there at once: the order of the engine's answers stays (E8). */
function then<T>(answer: Awaitable<T>, look: (answer: T) => void): Awaitable<T> {
  if (!(answer instanceof Promise)) {
    look(answer);
    return answer;
  }
  return answer.then((value) => {
    look(value);
    return value;
  });
}
