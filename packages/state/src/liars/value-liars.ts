/** Liars about values and batches. */

import { compareKeys } from "../keys.ts";
import { liar, now } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

export const liarsAboutValues: readonly StateLiar[] = [
  liar(
    {
      name: "recycles values",
      lie: "writes a new value into the object it returned before",
      caughtBy: "what the engine returned does not change when the key is written again",
    },
    (store) => {
      const kept = new Map<string, object>();
      return {
        set: (write, condition) => {
          const { key, value } = write;
          const old = kept.get(key);
          if (typeof value !== "object" || value === null) return store.set(write, condition);
          const same = old === undefined ? value : Object.assign(old, value);
          kept.set(key, same);
          return store.set({ ...write, value: same }, condition);
        },
      };
    },
  ),
  liar(
    {
      name: "rounds numbers",
      lie: "keeps numbers in single precision",
      caughtBy: "every kind of JSON value comes back equal",
    },
    (store) => ({
      set: (write, condition) => {
        const { value } = write;
        const rounded = typeof value === "number" ? Math.fround(value) : value;
        return store.set({ ...write, value: rounded }, condition);
      },
    }),
  ),
  liar(
    {
      name: "forgets versions",
      lie: "keeps no schema version beside the value",
      caughtBy: "an older value is upgraded wherever it is read, and stays as it is until written",
    },
    (store) => ({ set: (write, condition) => store.set({ ...write, version: 1 }, condition) }),
  ),
  liar(
    {
      name: "writes batches in pieces",
      lie: "sends the writes of a batch one by one",
      caughtBy: "nobody sees half a batch",
    },
    (store) => ({
      setMany: async (writes) => {
        const etags: string[] = [];
        for (const write of writes) {
          const outcome = await store.set(write);
          if (outcome.kind === "written") etags.push(outcome.etag);
        }
        return etags;
      },
    }),
  ),
  liar(
    {
      name: "counts what was asked",
      lie: "answers deleteMany with the number of keys given",
      caughtBy: "deleteMany counts what was there, each key once",
    },
    (store) => ({
      deleteMany: (keys) => {
        now(store.deleteMany(keys));
        return keys.length;
      },
    }),
  ),
  liar(
    {
      name: "skips what is missing",
      lie: "answers getMany with what was found, in an order of its own",
      caughtBy: "getMany returns what was found, in the order asked",
    },
    (store) => ({ getMany: (keys) => store.getMany([...keys].sort(compareKeys)) }),
  ),
];
