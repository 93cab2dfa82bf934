/** Subject: a typed store on the Redis engine. Arguments: path of the server's socket, keys. */

import { openRedis } from "@banyan/redis";
import { openStore } from "@banyan/state";
import { keyAt, recordAt, recordSchema, uniformIndexes } from "../embedded/records.ts";
import { numberOf, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import type { Figures, Question } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [path = "", count = "0"] = process.argv.slice(2);
const keys = Number(count);
const engine = await openRedis({ url: `unix://${path}` });
const spec = { durability: "ephemeral", value: recordSchema } as const;
const store = await openStore(engine, { scope: "bench", name: "users", spec });
const nextIndex = uniformIndexes(keys);
const measures = await keyValueMeasures(
  {
    get: (key) => store.get(key),
    set: (key, value) => store.set(key, value),
    has: (key) => store.has(key),
    remove: (key) => store.delete(key),
  },
  keys,
);

/** Every caller has a key of its own, and names the etag that it wrote last. */
async function conditionalRate(question: Question): Promise<Figures> {
  const callers = Array.from({ length: numberOf(question, "inFlight") }, (_, index) => index);
  const etags = await store.setMany(
    callers.map((index) => [keyAt(index), recordAt(index)] as const),
  );
  const free = [...callers];
  return steadyRate(question, async () => {
    const caller = free.pop() ?? 0;
    etags[caller] = await store.set(keyAt(caller), recordAt(nextIndex(), 1), {
      ifMatch: etags[caller],
    });
    free.push(caller);
    return 1;
  });
}

serveMeasures({
  ...measures,
  conditional: conditionalRate,
  close: async () => {
    await engine.close();
    return {};
  },
});
