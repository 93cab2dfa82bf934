/** Liars about times to live. */

import { liar, now } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

export const liarsAboutTime: readonly StateLiar[] = [
  liar(
    {
      name: "loses the time to live",
      lie: "writes an update without the time to live that the entry had",
      caughtBy: "update keeps the time to live",
    },
    (store) => ({
      set: (write, condition) =>
        store.set({ ...write, expiry: write.expiry === "keep" ? "none" : write.expiry }, condition),
    }),
  ),
  liar(
    {
      name: "keeps the time to live",
      lie: "leaves the old time to live on a set that gives none",
      caughtBy: "set without a time to live takes the old one away",
    },
    (store) => ({
      set: (write, condition) =>
        store.set({ ...write, expiry: write.expiry === "none" ? "keep" : write.expiry }, condition),
    }),
  ),
  liar(
    {
      name: "never expires",
      lie: "accepts a time to live and forgets it",
      caughtBy: "an entry is there until its time to live is over and gone from then on",
    },
    (store) => ({
      set: (write, condition) => store.set({ ...write, expiry: "none" }, condition),
    }),
  ),
  liar(
    {
      name: "expires late",
      lie: "compares with > where the law says >=",
      caughtBy: "an entry is there until its time to live is over and gone from then on",
    },
    (store) => ({
      set: (write, condition) => {
        const expiry = typeof write.expiry === "number" ? write.expiry + 1 : write.expiry;
        return store.set({ ...write, expiry }, condition);
      },
    }),
  ),
  liar(
    {
      name: "counts the dead",
      lie: "keeps a number that knows of writes and deletes and not of expiry",
      caughtBy: "expired entries are not counted",
    },
    (store) => {
      const counted = new Set<string>();
      return {
        set: (write, condition) => {
          const outcome = now(store.set(write, condition));
          if (outcome.kind === "written") counted.add(write.key);
          return outcome;
        },
        setMany: (writes) => {
          for (const { key } of writes) counted.add(key);
          return store.setMany(writes);
        },
        delete: (key, condition) => {
          const outcome = now(store.delete(key, condition));
          if (outcome.kind === "deleted") counted.delete(key);
          return outcome;
        },
        deleteMany: (keys) => {
          for (const key of keys) counted.delete(key);
          return store.deleteMany(keys);
        },
        count: () => counted.size,
      };
    },
  ),
  liar(
    {
      name: "still has it",
      lie: "answers has from an index that does not know of expiry",
      caughtBy: "every method agrees that an expired entry is gone",
    },
    (store) => {
      const index = new Set<string>();
      return {
        set: (write, condition) => {
          index.add(write.key);
          return store.set(write, condition);
        },
        has: (key) => index.has(key),
        delete: (key, condition) => {
          index.delete(key);
          return store.delete(key, condition);
        },
      };
    },
  ),
  liar(
    {
      name: "is blocked by the dead",
      lie: "refuses ifAbsent while an expired entry lingers",
      caughtBy: "every method agrees that an expired entry is gone",
    },
    (store) => {
      const written = new Set<string>();
      return {
        set: (write, condition = {}) => {
          if (condition.ifAbsent === true && written.has(write.key)) return { kind: "conflict" };
          written.add(write.key);
          return store.set(write, condition);
        },
        delete: (key, condition) => {
          written.delete(key);
          return store.delete(key, condition);
        },
      };
    },
  ),
  liar(
    {
      name: "pages the dead",
      lie: "filters what is expired after it has cut the page",
      caughtBy: "expired entries take no place in a page",
    },
    (store, { clock }) => {
      const ends = new Map<string, number>();
      return {
        set: (write, condition) => {
          const { key, expiry } = write;
          ends.set(key, typeof expiry === "number" ? clock.nowMs() + expiry : Infinity);
          return store.set({ ...write, expiry: "none" }, condition);
        },
        scan: (scan) =>
          now(store.scan(scan)).filter(({ key }) => clock.nowMs() < (ends.get(key) ?? Infinity)),
      };
    },
  ),
];
