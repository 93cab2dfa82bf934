/**
 * A load of every kind of durable write, and a ledger of what may stand after it.
 *
 * What a writer does follows from its name alone, so the parent of a process that was killed knows
 * what it was at. What it owns: the ledger. What may interrupt it: the end of a server.
 *
 * I1. A step changes keys of one group only, and a writer's next one waits for its end.
 * I2. After a step that was acknowledged its group stands as it says; after one that nobody knows
 *     of, so or as before, but never half; after one that was refused, as before.
 */

import type { Store } from "@banyan/kernel";
import type { StateEngine } from "../engine.ts";
import { createTransactor } from "../transaction.ts";
import type { Transactor } from "../transaction.ts";
import { endingOf } from "./fault-bench.ts";
import type { Ending } from "./fault-bench.ts";

/** What the writers write to; the store has asked for `transaction`. */
export interface LoadClient {
  readonly store: Store<number>;
  readonly transact: Transactor<{ store: Store<number> }>;
}

export function loadClientOf(engine: StateEngine, store: Store<number>): LoadClient {
  return { store, transact: createTransactor({ engine, stores: { store } }) };
}

/** The entries of a group that are there, by the last part of their keys. */
type World = Readonly<Record<string, number>>;

/** One write of a group's n-th round. */
interface LoadKind {
  /** It has an `operationId`, so whoever does not know how it ended asks again. */
  readonly isRepeatable?: true;
  run(client: LoadClient, at: Place): Promise<unknown>;
  after(before: World, n: number): World;
}

interface Place {
  readonly n: number;
  readonly operationId: string;
  key(part: string): string;
}

export interface LoadStep {
  readonly group: string;
  readonly isRepeatable: boolean;
  run(client: LoadClient): Promise<unknown>;
  after(before: World): World;
}

const parts = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
const increment = (count = 0): number => count + 1;

/** Keys that no other round has, so nothing writes over what was lost. */
const roundKinds: readonly LoadKind[] = [
  {
    run: ({ store }, { key, n }) => store.set(key("a"), n),
    after: (before, n) => ({ ...before, a: n }),
  },
  {
    run: ({ store }, { key, n }) => store.set(key("b"), n, { ifAbsent: true }),
    after: (before, n) => ({ ...before, b: n }),
  },
  {
    run: ({ store }, { key, n }) =>
      store.setMany(["c", "d", "e", "h", "i"].map((p) => [key(p), n])),
    after: (before, n) => ({ ...before, c: n, d: n, e: n, h: n, i: n }),
  },
  {
    async run({ store }, { key, n }) {
      const ifMatch = (await store.getEntry(key("i")))?.etag;
      await store.set(key("i"), -n, ifMatch === undefined ? { ifAbsent: true } : { ifMatch });
    },
    after: (before, n) => ({ ...before, i: -n }),
  },
  {
    run: ({ store }, { key }) => store.delete(key("c")),
    after: (before) => without(before, ["c"]),
  },
  {
    isRepeatable: true,
    run: ({ store }, { key, n, operationId }) => store.set(key("f"), n, { operationId }),
    after: (before, n) => ({ ...before, f: n }),
  },
  {
    run: ({ transact }, { key, n }) =>
      transact(async ({ stores: { store } }) => {
        store.set(key("g"), n);
        store.delete(key("d"));
        await store.update(key("e"), increment);
      }),
    after: (before, n) => ({ ...without(before, ["d"]), g: n, e: increment(before["e"]) }),
  },
  {
    run: ({ store }, { key }) => store.deleteMany([key("h"), key("never")]),
    after: (before) => without(before, ["h"]),
  },
];

/** Counts of a writer, which tell of every step that was lost or done twice. */
const countKinds: readonly LoadKind[] = [
  {
    run: ({ store }, { key }) => store.update(key("a"), increment),
    after: (before) => ({ ...before, a: increment(before["a"]) }),
  },
  {
    isRepeatable: true,
    run: ({ store }, { key, operationId }) => store.update(key("b"), increment, { operationId }),
    after: (before) => ({ ...before, b: increment(before["b"]) }),
  },
];

/** All that a writer does, for ever. */
export function* stepsOf(writer: string): Generator<LoadStep> {
  for (let n = 1; ; n += 1) {
    for (const kind of roundKinds) yield stepOf(kind, `${writer}-${n}`, n);
    for (const kind of countKinds) yield stepOf(kind, `${writer}-count`, n);
  }
}

function stepOf(kind: LoadKind, group: string, n: number): LoadStep {
  const key = (part: string): string => keyOf(group, part);
  return {
    group,
    isRepeatable: kind.isRepeatable === true,
    run: (client) => kind.run(client, { n, key, operationId: `${group}-${n}` }),
    after: (before) => kind.after(before, n),
  };
}

export class WriteLedger {
  readonly #worlds = new Map<string, readonly World[]>();
  #acknowledged = 0;
  #failed = 0;

  /** Steps of which somebody was told that they are done. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How often somebody was told something else, each time a step was asked again too. */
  get failed(): number {
    return this.#failed;
  }

  note({ group, after }: LoadStep, ending: Ending): void {
    const before = this.#worlds.get(group) ?? [{}];
    if (ending === "written") this.#acknowledged += 1;
    const changed = ending === "unavailable" ? [] : before.map(after);
    this.#worlds.set(group, ending === "written" ? changed : [...before, ...changed]);
  }

  /** Does steps of a writer for as long as it is told to. */
  async load(writer: string, client: LoadClient, goesOn: () => boolean): Promise<void> {
    for (const step of stepsOf(writer)) {
      if (!goesOn()) return;
      this.note(step, await this.#endOf(step, client, goesOn));
    }
  }

  /** Keys that do not stand as they may, each with what is there. */
  async misses(store: Store<number>): Promise<string[]> {
    const misses: string[] = [];
    const groups = [...this.#worlds];
    const size = Math.floor(1000 / parts.length);
    for (let at = 0; at < groups.length; at += size) {
      const some = groups.slice(at, at + size);
      const keys = some.flatMap(([group]) => parts.map((part) => keyOf(group, part)));
      const found = new Map((await store.getMany(keys)).map(({ key, value }) => [key, value]));
      for (const [group, worlds] of some) misses.push(...missesOf(group, worlds, found));
    }
    return misses;
  }

  /** A step with an `operationId` is asked again, and so its end is known in the end. */
  async #endOf(step: LoadStep, client: LoadClient, goesOn: () => boolean): Promise<Ending> {
    let isUnknown = false;
    for (;;) {
      const ending = await endingOf(Promise.try(() => step.run(client)));
      if (ending === "written") return ending;
      this.#failed += 1;
      isUnknown ||= ending === "unknown";
      if (!step.isRepeatable || !goesOn()) return isUnknown ? "unknown" : "unavailable";
    }
  }
}

/** Of the world that is nearest. */
function missesOf(
  group: string,
  worlds: readonly World[],
  found: ReadonlyMap<string, number>,
): string[] {
  const each = worlds.map((world) => parts.filter((p) => world[p] !== found.get(keyOf(group, p))));
  const [nearest = []] = each.toSorted((one, two) => one.length - two.length);
  return nearest.map((part) => {
    const key = keyOf(group, part);
    const may = worlds.map((world) => world[part] ?? "nothing").join(" or ");
    return `${key} is ${found.get(key) ?? "nothing"} instead of ${may}`;
  });
}

function keyOf(group: string, part: string): string {
  return `${group}-${part}`;
}

function without(world: World, gone: readonly string[]): World {
  return Object.fromEntries(Object.entries(world).filter(([part]) => !gone.includes(part)));
}
