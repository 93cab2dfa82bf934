/** Subject: a typed store on the memory engine. Argument: keys. */

import { openMemoryEngine, openStore } from "@banyan/state";
import { recordSchema } from "../embedded/records.ts";
import { serveMeasures } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [keys = "0"] = process.argv.slice(2);
const store = await openStore(openMemoryEngine(), {
  scope: "bench",
  name: "users",
  spec: { durability: "ephemeral", value: recordSchema },
});
const keeper = {
  get: (key: string) => store.get(key),
  set: store.set.bind(store),
  has: (key: string) => store.has(key),
  remove: (key: string) => store.delete(key),
};
serveMeasures(await keyValueMeasures(keeper, Number(keys)));
