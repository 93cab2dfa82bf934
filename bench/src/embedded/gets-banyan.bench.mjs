// Subject: a typed store on SQLite, filled by state-banyan.bench.ts.
// Arguments: data directory, keys.

import { silentLog, systemClock, t } from "@banyan/kernel";
import { sqlite } from "@banyan/sqlite";
import { openStore } from "@banyan/state";
import { serveGets } from "./random-gets.mjs";

const [directory, keys] = process.argv.slice(2);
const engine = await sqlite.openState({ directory, clock: systemClock, log: silentLog });
const value = t.Object({
  name: t.String({ minLength: 1, maxLength: 64 }),
  email: t.String({ maxLength: 128 }),
  visits: t.Integer({ minimum: 0 }),
  active: t.Boolean(),
  tags: t.Array(t.String({ maxLength: 32 })),
});
const spec = { durability: "durable", value };
const store = await openStore(engine, { scope: "bench", name: "users", spec });

serveGets(Number(keys), (key) => store.get(key));
