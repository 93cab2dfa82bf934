/** What the subjects of one SQL server are asked: the same keys, values and etags for everybody. */

import { keyAt, recordAt, uniformIndexes, uniformKeys } from "../embedded/records.ts";
import type { Stored } from "../embedded/records.ts";
import { steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";

/** One way to keep records: the platform's, or a driver by hand. */
export interface RecordKeeper {
  get(key: string): Promise<Stored | undefined>;
  /** Answers the new etag. */
  set(key: string, value: Stored): Promise<string>;
  /** The same if the etag still stands; throws else. */
  replace(key: string, value: Stored, etag: string): Promise<string>;
  close(): Promise<void>;
}

export async function serveRecords(keeper: RecordKeeper, keys: number): Promise<void> {
  const nextKey = uniformKeys(keys);
  const nextIndex = uniformIndexes(keys);
  const etags = new Map<string, string>();
  const fill = async (from: number): Promise<void> => {
    for (let index = from; index < keys; index += 64) {
      etags.set(keyAt(index), await keeper.set(keyAt(index), recordAt(index)));
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, from) => fill(from)));
  // Whose turn it is to be replaced; none is there twice, so no condition is in another's way.
  const idle = [...etags.keys()];
  const replace = async (): Promise<number> => {
    const key = idle.shift() ?? "";
    const etag = await keeper.replace(key, recordAt(nextIndex(), 2), etags.get(key) ?? "");
    etags.set(key, etag);
    idle.push(key);
    return 1;
  };
  const get = async (): Promise<number> => {
    if ((await keeper.get(nextKey())) === undefined) throw new Error("A record is missing.");
    return 1;
  };
  // Other records than those that are replaced: their etags are known to nobody.
  const set = async (): Promise<number> => {
    await keeper.set(`plain-${nextKey()}`, recordAt(nextIndex(), 1));
    return 1;
  };
  serveMeasures({
    get: (question) => steadyRate(question, get),
    set: (question) => steadyRate(question, set),
    replace: (question) => steadyRate(question, replace),
    close: async () => {
      await keeper.close();
      return {};
    },
  });
}
