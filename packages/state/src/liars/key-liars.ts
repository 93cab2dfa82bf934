/** Liars about keys: which are equal, in what order, and whose they are. */

import type { EngineEntry, EngineStore, EngineStoreSpec } from "../engine.ts";
import { compareKeys } from "../keys.ts";
import { openMemoryEngine } from "../memory.ts";
import { engineThat, liar, now } from "./broken-engine.ts";
import type { Lie, StateLiar } from "./broken-engine.ts";

/** Renames keys on the way in and back on the way out, which is where databases fold them. */
function foldingKeys(fold: (key: string) => string): Lie {
  return (store) => {
    const names = new Map<string, string>();
    const back = (entry: EngineEntry | undefined): EngineEntry | undefined =>
      entry === undefined ? undefined : { ...entry, key: names.get(entry.key) ?? entry.key };
    return {
      get: (key) => back(now(store.get(fold(key)))),
      getMany: (keys) => now(store.getMany(keys.map(fold))).map(back),
      has: (key) => store.has(fold(key)),
      set: (write, condition) => {
        names.set(fold(write.key), write.key);
        return store.set({ ...write, key: fold(write.key) }, condition);
      },
      delete: (key, condition) => store.delete(fold(key), condition),
    };
  };
}

function isPattern(prefix: string): boolean {
  return /[%_]/.test(prefix);
}

/** `LIKE 'prefix%'` with nothing escaped. */
function matchesLike(key: string, prefix: string): boolean {
  const source = prefix
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("%", ".*")
    .replaceAll("_", ".");
  return new RegExp(`^${source}`, "su").test(key);
}

function scanAll(store: EngineStore): readonly EngineEntry[] {
  return now(store.scan({ prefix: "", after: undefined, limit: 2 ** 31 }));
}

export const liarsAboutKeys: readonly StateLiar[] = [
  liar(
    {
      name: "counts writes",
      lie: "counts a write that replaces an entry as one more",
      caughtBy: "a store counts its own entries, each once",
    },
    (store) => {
      let written = 0;
      return {
        set: (write, condition) => {
          written += 1;
          return store.set(write, condition);
        },
        setMany: (writes) => {
          written += writes.length;
          return store.setMany(writes);
        },
        count: () => written,
      };
    },
  ),
  liar(
    {
      name: "matches patterns",
      lie: "hands a prefix to LIKE without escaping it",
      caughtBy: "a prefix is literal text",
    },
    (store) => ({
      scan: (scan) => {
        if (!isPattern(scan.prefix)) return store.scan(scan);
        const { after = "", prefix, limit } = scan;
        const found = scanAll(store).filter(({ key }) => matchesLike(key, prefix));
        return found.filter(({ key }) => compareKeys(key, after) > 0).slice(0, limit);
      },
    }),
  ),
  liar(
    {
      name: "sorts UTF-16",
      lie: "orders keys by JavaScript's own comparison",
      caughtBy: "a scan comes in the order of the keys' UTF-8 bytes",
    },
    (store) => ({
      scan: ({ prefix, after, limit }) => {
        const all = [...scanAll(store)].sort((a, b) => (a.key < b.key ? -1 : 1));
        const wanted = all.filter(({ key }) => key.startsWith(prefix));
        return wanted.filter(({ key }) => after === undefined || key > after).slice(0, limit);
      },
    }),
  ),
  liar(
    {
      name: "repeats itself",
      lie: "begins a page with the key that ended the last one",
      caughtBy: "a scan goes on after a key that is gone, and from outside the prefix",
    },
    (store) => ({
      scan: (scan) => {
        const { after, limit } = scan;
        const page = now(store.scan(scan));
        const again = after === undefined ? undefined : now(store.get(after));
        return again === undefined ? page : [again, ...page].slice(0, limit);
      },
    }),
  ),
  liar(
    {
      name: "folds case",
      lie: "compares keys with a collation that ignores case",
      caughtBy: "keys that look alike are different keys",
    },
    foldingKeys((key) => key.toLowerCase()),
  ),
  liar(
    {
      name: "pads keys",
      lie: "compares keys with a padding collation: 'a' and 'a ' are one",
      caughtBy: "keys that look alike are different keys",
    },
    foldingKeys((key) => key.replace(/ +$/, "")),
  ),
  liar(
    {
      name: "normalises keys",
      lie: "stores keys in normal form C",
      caughtBy: "keys that look alike are different keys",
    },
    foldingKeys((key) => key.normalize("NFC")),
  ),
  {
    name: "shares keys",
    lie: "joins scope and name with a dot, so that two stores become one",
    caughtBy: "two stores never see each other's keys",
    open: (clock) => {
      const base = openMemoryEngine({ clock });
      const openStore = (spec: EngineStoreSpec): EngineStore =>
        now(base.openStore({ ...spec, scope: "all", name: `${spec.scope}.${spec.name}` }));
      return { ...engineThat(clock, () => ({}), base), openStore };
    },
  },
];
