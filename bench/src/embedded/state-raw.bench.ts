/** Subject: `node:sqlite` on the store's table, without a platform. Arguments: file, keys. */

import { setImmediate } from "node:timers/promises";
import { loopDelay } from "../loop-delay.ts";
import { numberOf, plainRate, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { RawTable } from "./raw-table.ts";
import { keyAt, recordAt, uniformIndexes, uniformKeys } from "./records.ts";
import type { Stored } from "./records.ts";

const [file = "", count = "0"] = process.argv.slice(2);
const keys = Number(count);
const table = new RawTable(file);
const nextKey = uniformKeys(keys);
const nextIndex = uniformIndexes(keys);
if (table.get(keyAt(0)) === undefined) table.fill(keys);

/** `rows` upserts in one transaction, on this thread. Then the event loop has its turn. */
async function commitOf(rows: number): Promise<number> {
  table.begin();
  for (let row = 0; row < rows; row += 1) table.set(nextKey(), recordAt(nextIndex(), 1));
  table.commit();
  await setImmediate();
  return rows;
}

async function updateHotKey(): Promise<number> {
  table.begin();
  const visits = table.get<Stored>("hot")?.visits ?? 0;
  table.set("hot", recordAt(0, visits + 1));
  table.commit();
  await setImmediate();
  return 1;
}

serveMeasures({
  get: plainRate(() => table.get(nextKey())),
  sets: (question) =>
    loopDelay(() => steadyRate(question, () => commitOf(numberOf(question, "rows")))),
  update: (question) => steadyRate(question, updateHotKey),
  close: () => {
    table.database.close();
    return {};
  },
});
