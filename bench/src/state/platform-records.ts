/** Records in a typed store of an engine, as a service has it. */

import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { recordSchema } from "../embedded/records.ts";
import type { RecordKeeper } from "./sql-questions.ts";

export async function platformRecords(engine: StateEngine): Promise<RecordKeeper> {
  const spec = { durability: "durable", value: recordSchema } as const;
  const store = await openStore(engine, { scope: "bench", name: "users", spec });
  return {
    get: (key) => store.get(key),
    set: (key, value) => store.set(key, value),
    replace: (key, value, etag) => store.set(key, value, { ifMatch: etag }),
    close: () => engine.close(),
  };
}
