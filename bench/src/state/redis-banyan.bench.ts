/** Subject: a typed store on the Redis engine. Arguments: path of the server's socket, keys. */

import { openRedis } from "@banyan/redis";
import { openStore } from "@banyan/state";
import { keyAt, recordAt, recordSchema, uniformIndexes, uniformKeys } from "../embedded/records.ts";
import { callRate, numberOf, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import type { Figures, Question } from "../subject.ts";

const [path = "", count = "0"] = process.argv.slice(2);
const keys = Number(count);
const engine = await openRedis({ url: `unix://${path}` });
const spec = { durability: "ephemeral", value: recordSchema } as const;
const store = await openStore(engine, { scope: "bench", name: "users", spec });
const nextKey = uniformKeys(keys);
const nextIndex = uniformIndexes(keys);
for (let from = 0; from < keys; from += 1000) {
  const indexes = Array.from({ length: Math.min(1000, keys - from) }, (_, at) => from + at);
  await store.setMany(indexes.map((index) => [keyAt(index), recordAt(index)] as const));
}

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
  get: callRate(() => store.get(nextKey())),
  set: callRate(() => store.set(nextKey(), recordAt(nextIndex(), 1))),
  conditional: conditionalRate,
  close: async () => {
    await engine.close();
    return {};
  },
});
