// Subject: a typed store on SQLite, filled by state-banyan.bench.ts.
// Arguments: data directory, keys.

import { join } from "node:path";
import { t } from "@banyan/kernel";
import { openSqlite } from "@banyan/sqlite";
import { openStore } from "@banyan/state";
import { serveGets } from "./random-gets.mjs";

const [directory, keys] = process.argv.slice(2);
// As who only reads: without `warmUp` the writer thread is not started.
const engine = await openSqlite({ file: join(directory, "state.db") });
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
