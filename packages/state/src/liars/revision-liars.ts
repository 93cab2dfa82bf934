/** Liars about revisions. */

import type { Revision } from "@banyan/kernel";
import type { EngineEntry } from "../engine.ts";
import { liar, now } from "./broken-engine.ts";
import type { Lie, StateLiar } from "./broken-engine.ts";

/** Shows other revisions than the engine keeps. */
function showing(revisionOf: (entry: EngineEntry, revision: Revision) => Revision): Lie {
  return (store) => {
    const shown = <E extends EngineEntry | undefined>(entry: E): E =>
      entry?.revision === undefined
        ? entry
        : { ...entry, revision: revisionOf(entry, entry.revision) };
    return {
      get: (key) => shown(now(store.get(key))),
      getMany: (keys) => now(store.getMany(keys)).map(shown),
      scan: (scan) => now(store.scan(scan)).map(shown),
    };
  };
}

export const liarsAboutRevisions: readonly StateLiar[] = [
  liar(
    {
      name: "does not count",
      lie: "gives every write the first revision",
      caughtBy: "an entry begins at revision 1 and every write counts one more",
    },
    showing((_entry, revision) => ({ ...revision, revision: 1 })),
  ),
  liar(
    {
      name: "counts from zero",
      lie: "numbers revisions as arrays are numbered",
      caughtBy: "an entry begins at revision 1 and every write counts one more",
    },
    showing((_entry, revision) => ({ ...revision, revision: revision.revision - 1 })),
  ),
  liar(
    {
      name: "counts what it refused",
      lie: "counts a revision before it looks at the condition",
      caughtBy: "a write that conflicts counts nothing",
    },
    (store, world) => {
      const refused = new Map<string, number>();
      const counting = showing((entry, revision) => {
        return { ...revision, revision: revision.revision + (refused.get(entry.key) ?? 0) };
      });
      return {
        ...counting(store, world),
        set: (write, condition) => {
          const outcome = now(store.set(write, condition));
          const { key } = write;
          if (outcome.kind === "conflict") refused.set(key, (refused.get(key) ?? 0) + 1);
          return outcome;
        },
      };
    },
  ),
  liar(
    {
      name: "is always new",
      lie: "sets the time of creation with every write",
      caughtBy: "the time of the first write stays, the time of the last one moves",
    },
    showing((_entry, revision) => ({ ...revision, createdAtMs: revision.updatedAtMs })),
  ),
  liar(
    {
      name: "stands still",
      lie: "leaves the time of the last write at the first",
      caughtBy: "the time of the first write stays, the time of the last one moves",
    },
    showing((_entry, revision) => ({ ...revision, updatedAtMs: revision.createdAtMs })),
  ),
  liar(
    {
      name: "remembers the dead",
      lie: "marks an entry as deleted and goes on counting when it is created again",
      caughtBy: "delete-and-create begins anew, in number and time",
    },
    (store, world) => {
      const before = new Map<string, number>();
      const goingOn = showing((entry, revision) => {
        return { ...revision, revision: revision.revision + (before.get(entry.key) ?? 0) };
      });
      const remember = (key: string): void => {
        const last = now(store.get(key))?.revision?.revision ?? 0;
        before.set(key, (before.get(key) ?? 0) + last);
      };
      return {
        ...goingOn(store, world),
        delete: (key, condition) => {
          remember(key);
          return store.delete(key, condition);
        },
        deleteMany: (keys) => {
          keys.forEach(remember);
          return store.deleteMany(keys);
        },
      };
    },
  ),
  liar(
    {
      name: "scans without",
      lie: "leaves revisions out of a scan",
      caughtBy: "every way of reading an entry tells the same revision",
    },
    (store) => ({
      scan: (scan) => now(store.scan(scan)).map((entry) => ({ ...entry, revision: undefined })),
    }),
  ),
  liar(
    {
      name: "makes up the past",
      lie: "says of an entry from before its store asked that it was made just now",
      caughtBy: "an entry from before its store asked is the first, of an unknown time",
    },
    (store, { clock, spec }) => {
      const made = (entry: EngineEntry | undefined): EngineEntry | undefined => {
        if (entry === undefined || entry.revision !== undefined) return entry;
        const nowMs = clock.nowMs();
        return {
          ...entry,
          revision: { revision: 1, createdAtMs: nowMs, updatedAtMs: nowMs },
        };
      };
      return spec.capabilities.has("revisions") ? { get: (key) => made(now(store.get(key))) } : {};
    },
  ),
];
