/** Subject: transactions of a service in a real node on SQLite. Arguments: data directory, keys. */

import { openNode } from "@banyan/host";
import { silentLog } from "@banyan/kernel";
import { openDataDirectory, sqlite, sqliteBus } from "@banyan/sqlite";
import { serveMeasures } from "../subject.ts";
import { handledRate, HandledCounter } from "./handled.ts";
import { uniformKeys } from "./records.ts";
import { bank, bankService, ledgerService } from "./transfer.contract.ts";

const [directory = "", keys = "0"] = process.argv.slice(2);
const nextKey = uniformKeys(Number(keys));
const handled = new HandledCounter();
const node = await openNode({
  services: [bankService, ledgerService(() => handled.add())],
  directory: () => openDataDirectory(directory),
  findEngine: async (name) => (name === "sqlite" ? { state: sqlite, bus: sqliteBus } : undefined),
  config: { flags: [{ flag: "bench", pointer: "/http/port", value: 0 }] },
  log: silentLog,
});
const client = node.client(bank);

serveMeasures({
  transfers: (question) =>
    handledRate(
      question,
      () => client.move({ from: nextKey(), to: nextKey(), amount: 1 }),
      handled,
    ),
});
