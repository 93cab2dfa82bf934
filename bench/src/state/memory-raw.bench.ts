/** Subject: JSON in a Map, behind promises: what nobody needs a library for. Argument: keys. */

import { serveMeasures } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [keys = "0"] = process.argv.slice(2);
const texts = new Map<string, string>();
const store = {
  get: async (key: string): Promise<unknown> => {
    const text = texts.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  },
  set: async (key: string, value: object) => texts.set(key, JSON.stringify(value)),
  has: async (key: string) => texts.has(key),
  remove: async (key: string) => texts.delete(key),
};
serveMeasures(await keyValueMeasures(store, Number(keys)));
