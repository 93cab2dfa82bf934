/** What all stores of keys and values can do, and how often: the same questions for each. */

import { keyAt, recordAt, uniformIndexes, uniformKeys } from "../embedded/records.ts";
import type { Stored } from "../embedded/records.ts";
import { callRate } from "../rates.ts";
import type { Measure } from "../subject.ts";

export interface KeyValues {
  get(key: string): Promise<unknown>;
  set(key: string, value: Stored): Promise<unknown>;
  has(key: string): Promise<boolean>;
  remove(key: string): Promise<unknown>;
}

export type KeyValueMeasure = "get" | "set" | "has" | "setAndDelete";

/** More than there are callers, so that no two have the same one. */
const briefKeys = 4096;

/** Fills the store, looks whether it is one, and answers what can be measured. */
export async function keyValueMeasures(
  store: KeyValues,
  keys: number,
): Promise<Readonly<Record<KeyValueMeasure, Measure>>> {
  const fill = async (from: number): Promise<void> => {
    for (let at = from; at < keys; at += 64) await store.set(keyAt(at), recordAt(at));
  };
  await Promise.all(Array.from({ length: 64 }, (_, from) => fill(from)));
  await assertKeeps(store, keys);
  const nextKey = uniformKeys(keys);
  const nextIndex = uniformIndexes(keys);
  const brief = Array.from({ length: briefKeys }, (_, at) => `brief-${at}`);
  let turn = 0;
  return {
    get: callRate(() => store.get(nextKey())),
    set: callRate(() => store.set(nextKey(), recordAt(nextIndex(), 1))),
    has: callRate(() => store.has(nextKey())),
    setAndDelete: callRate(async () => {
      const key = brief[(turn = (turn + 1) % briefKeys)] ?? "";
      await store.set(key, recordAt(turn));
      await store.remove(key);
    }),
  };
}

/** Whoever drops a write or answers something else is faster than all others. */
async function assertKeeps(store: KeyValues, keys: number): Promise<void> {
  const last = keys - 1;
  const kept = [
    JSON.stringify(await store.get(keyAt(last))) === JSON.stringify(recordAt(last)),
    await store.has(keyAt(last)),
    !(await store.has(keyAt(keys))),
  ];
  await store.set("brief", recordAt(0));
  await store.remove("brief");
  kept.push(!(await store.has("brief")));
  if (kept.includes(false)) throw new Error(`The store does not keep records: ${kept.join(", ")}.`);
}
