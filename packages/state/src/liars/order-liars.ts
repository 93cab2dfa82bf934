/** Liars about writes that are handed over and not done yet; they are made of the late engine. */

import type { EngineEntry, EngineStore } from "../engine.ts";
import { engineThat } from "./broken-engine.ts";
import type { Lie, StateLiar } from "./broken-engine.ts";
import { openLateEngine } from "./late-engine.ts";

function lateLiar(about: Omit<StateLiar, "open">, lie: Lie): StateLiar {
  return { ...about, open: (clock) => engineThat(clock, lie, openLateEngine({ clock })) };
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What the store shows as its latest; the late engine always has one. */
async function latestOf(store: EngineStore, key: string): Promise<EngineEntry | undefined> {
  return store.latest?.(key);
}

export const liarsAboutOrder: readonly StateLiar[] = [
  lateLiar(
    {
      name: "does its batches first",
      lie: "lets a batch overtake the single writes before it",
      caughtBy: "writes take effect in the order in which they were handed over",
    },
    (store) => ({
      set: async (write, condition) => {
        await nextTurn();
        return store.set(write, condition);
      },
    }),
  ),
  lateLiar(
    {
      name: "looks before the line",
      lie: "holds a condition against what is done, not against what comes before the write",
      caughtBy: "a condition is held against the writes that were handed over before it",
    },
    (store) => ({
      set: async (write, condition) => {
        if (condition?.ifAbsent !== true) return store.set(write, condition);
        return (await store.has(write.key)) ? { kind: "conflict" } : store.set(write);
      },
    }),
  ),
  lateLiar(
    {
      name: "forgets what is on its way",
      lie: "answers latest with what is done",
      caughtBy: "latest shows what was handed over, whichever method wrote it",
    },
    (store) => ({ latest: (key) => store.get(key) }),
  ),
  lateLiar(
    {
      name: "forgets what will be gone",
      lie: "knows of pending writes and not of pending deletions",
      caughtBy: "latest shows what was handed over, whichever method wrote it",
    },
    (store) => ({
      latest: async (key) => (await latestOf(store, key)) ?? (await store.get(key)),
    }),
  ),
  lateLiar(
    {
      name: "hopes for the best",
      lie: "shows a pending write without looking whether its condition holds",
      caughtBy: "latest does not show a write whose condition did not hold",
    },
    (store) => {
      const hoped = new Map<string, EngineEntry>();
      return {
        set: async (write, condition) => {
          const { key, value, version } = write;
          hoped.set(key, { key, value, version, etag: "hoped for" });
          try {
            return await store.set(write, condition);
          } finally {
            hoped.delete(key);
          }
        },
        latest: async (key) => hoped.get(key) ?? latestOf(store, key),
      };
    },
  ),
  lateLiar(
    {
      name: "shows another etag",
      lie: "makes the etag when it writes, so a pending one cannot be named",
      caughtBy: "a write may name the etag of one that is not acknowledged yet",
    },
    (store) => ({
      latest: async (key) => {
        const [entry, done] = [await latestOf(store, key), await store.get(key)];
        return entry === undefined || entry.etag === done?.etag ? entry : { ...entry, etag: "" };
      },
    }),
  ),
  lateLiar(
    {
      name: "outlives itself in the line",
      lie: "shows a pending entry after its time to live is over",
      caughtBy: "latest knows of expiry, and of the time to live that a pending write keeps",
    },
    (store) => {
      const shown = new Map<string, EngineEntry>();
      return {
        latest: async (key) => {
          const entry = (await latestOf(store, key)) ?? shown.get(key);
          if (entry !== undefined) shown.set(key, entry);
          return entry;
        },
      };
    },
  ),
];
