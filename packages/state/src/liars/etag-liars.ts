/** Liars about etags and conditions. */

import type { EngineEntry } from "../engine.ts";
import { liar, now } from "./broken-engine.ts";
import type { Lie, StateLiar } from "./broken-engine.ts";

/** Replaces the etags of the engine by others, and keeps conditions consistent with them. */
function mintingEtags(
  mint: (key: string, value: unknown) => string,
  forget: (key: string) => void,
): Lie {
  return (store) => {
    const etags = new Map<string, string>();
    const shown = (entry: EngineEntry | undefined): EngineEntry | undefined =>
      entry === undefined ? undefined : { ...entry, etag: etags.get(entry.key) ?? entry.etag };
    const real = (key: string, ifMatch: string | undefined): string | undefined => {
      const entry = now(store.get(key));
      return ifMatch === undefined || ifMatch !== shown(entry)?.etag ? ifMatch : entry?.etag;
    };
    return {
      get: (key) => shown(now(store.get(key))),
      getMany: (keys) => now(store.getMany(keys)).map(shown),
      set: (write, condition = {}) => {
        const ifMatch = real(write.key, condition.ifMatch);
        const outcome = now(store.set(write, { ...condition, ifMatch }));
        if (outcome.kind === "conflict") return outcome;
        const etag = mint(write.key, write.value);
        etags.set(write.key, etag);
        return { kind: "written", etag };
      },
      delete: (key, condition = {}) => {
        const ifMatch = real(key, condition.ifMatch);
        const outcome = now(store.delete(key, { ...condition, ifMatch }));
        if (outcome.kind === "deleted") forget(key);
        return outcome;
      },
    };
  };
}

const counters = new Map<string, number>();
const countOf = (key: string): string => {
  const count = (counters.get(key) ?? 0) + 1;
  counters.set(key, count);
  return String(count);
};

export const liarsAboutEtags: readonly StateLiar[] = [
  liar(
    {
      name: "resets etags",
      lie: "counts an entry's versions and begins again after a delete",
      caughtBy: "an etag from before a delete does not match what was created after it",
    },
    mintingEtags(countOf, (key) => counters.delete(key)),
  ),
  liar(
    {
      name: "hashes content",
      lie: "uses a digest of the value as etag, so a write of the same value goes unnoticed",
      caughtBy: "every write gets an etag that no write had before",
    },
    mintingEtags(
      (_key, value) => JSON.stringify(value),
      () => undefined,
    ),
  ),
  liar(
    {
      name: "ignores ifMatch",
      lie: "writes whatever the etag says",
      caughtBy: "ifMatch writes over the etag it names and over no other",
    },
    (store) => ({ set: (write, condition) => store.set(write, { ifAbsent: condition?.ifAbsent }) }),
  ),
  liar(
    {
      name: "ignores ifMatch of delete",
      lie: "deletes whatever the etag says",
      caughtBy: "delete with ifMatch removes only what it names",
    },
    (store) => ({ delete: (key) => store.delete(key) }),
  ),
  liar(
    {
      name: "matches nothing with anything",
      lie: "treats ifMatch on a missing key as if there was no condition",
      caughtBy: "ifMatch on a key that is not there is a conflict, for set and delete",
    },
    (store) => ({
      set: (write, condition) =>
        now(store.has(write.key)) ? store.set(write, condition) : store.set(write),
    }),
  ),
  liar(
    {
      name: "overwrites",
      lie: "takes ifAbsent for a hint",
      caughtBy: "ifAbsent writes once; the second conflicts and changes nothing",
    },
    (store) => ({ set: (write, condition) => store.set(write, { ifMatch: condition?.ifMatch }) }),
  ),
  liar(
    {
      name: "checks, then writes",
      lie: "tests the condition in one step and writes in the next",
      caughtBy: "of many that race with one condition exactly one wins",
    },
    (store) => ({
      set: async (write, condition = {}) => {
        const entry = await store.get(write.key);
        await Promise.resolve();
        if (condition.ifAbsent === true && entry !== undefined) return { kind: "conflict" };
        if (condition.ifMatch !== undefined && condition.ifMatch !== entry?.etag) {
          return { kind: "conflict" };
        }
        return store.set(write);
      },
    }),
  ),
];
