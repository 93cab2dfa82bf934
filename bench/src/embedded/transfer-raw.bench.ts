/**
 * Subject: the same transfers with `node:sqlite`: two reads, two writes and the event; `rows` of
 * them in one commit. Arguments: file, keys.
 */

import { setImmediate } from "node:timers/promises";
import { numberOf, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { RawEvents, RawTable } from "./raw-table.ts";
import { uniformKeys } from "./records.ts";

const [file = "", keys = "0"] = process.argv.slice(2);
const table = new RawTable(file);
const events = new RawEvents(table.database);
const nextKey = uniformKeys(Number(keys));

function add(key: string, amount: number): void {
  table.set(key, { amount: (table.get<{ amount: number }>(key)?.amount ?? 0) + amount });
}

async function transfer(rows: number): Promise<number> {
  table.begin();
  for (let row = 0; row < rows; row += 1) {
    const [from, to] = [nextKey(), nextKey()];
    add(from, -1);
    add(to, 1);
    events.append("bank.moved", { from, to, amount: 1 });
  }
  table.commit();
  await setImmediate();
  return rows;
}

serveMeasures({
  transfers: (question) => steadyRate(question, () => transfer(numberOf(question, "rows"))),
});
