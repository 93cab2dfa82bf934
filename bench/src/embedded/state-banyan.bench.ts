/**
 * Subject: a typed store on the SQLite engine, opened as a node opens it.
 * Arguments: data directory, keys.
 */

import { silentLog, systemClock } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { sqlite } from "@banyan/sqlite";
import { openStore } from "@banyan/state";
import { loopDelay } from "../loop-delay.ts";
import { callRate, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { keyAt, recordAt, recordSchema, uniformIndexes, uniformKeys } from "./records.ts";
import type { Stored } from "./records.ts";

const [directory = "", count = "0"] = process.argv.slice(2);
const keys = Number(count);
const engine = await sqlite.openState({ directory, clock: systemClock, log: silentLog });
const store: Store<Stored> = await openStore(engine, {
  scope: "bench",
  name: "users",
  spec: { durability: "durable", value: recordSchema },
});
const nextKey = uniformKeys(keys);
const nextIndex = uniformIndexes(keys);
if (!(await store.has(keyAt(0)))) await fill();

async function fill(): Promise<void> {
  for (let from = 0; from < keys; from += 1000) {
    const size = Math.min(1000, keys - from);
    const entries = Array.from(
      { length: size },
      (_, index) => [keyAt(from + index), recordAt(from + index)] as const,
    );
    await store.setMany(entries);
  }
}

async function set(): Promise<number> {
  await store.set(nextKey(), recordAt(nextIndex(), 1));
  return 1;
}

async function updateHotKey(): Promise<number> {
  await store.update("hot", (old) => recordAt(0, (old?.visits ?? 0) + 1));
  return 1;
}

serveMeasures({
  get: callRate(() => store.get(nextKey())),
  sets: (question) => loopDelay(() => steadyRate(question, set)),
  update: (question) => steadyRate(question, updateHotKey),
  close: async () => {
    await engine.close();
    return {};
  },
});
