/**
 * Subject: `pg` by hand: the same columns, prepared statements, a pool as large as the load, one
 * statement for each call. Arguments: URL, keys.
 */

import pg from "pg";
import type { Stored } from "../embedded/records.ts";
import { serveRecords } from "./sql-questions.ts";

const [url = "", keys = "0"] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 16 });
await pool.query(
  `CREATE TABLE raw (
     store_id int NOT NULL, key bytea NOT NULL, value text NOT NULL, etag text NOT NULL,
     version bigint NOT NULL, expires_at double precision, PRIMARY KEY (store_id, key)
   ) WITH (fillfactor = 85);
   CREATE INDEX ON raw (expires_at) WHERE expires_at IS NOT NULL`,
);
const run = Math.random().toString(36).slice(2, 10);
let writes = 0;

const nextEtag = (): string => `${run}-${(writes += 1).toString(36)}`;

async function ask(name: string, text: string, values: unknown[]): Promise<unknown[][]> {
  const { rows, rowCount } = await pool.query<unknown[]>({ name, text, values, rowMode: "array" });
  if (rowCount === 0) throw new Error("The condition does not hold.");
  return rows;
}

await serveRecords(
  {
    async get(key) {
      const text = `SELECT value, etag, version FROM raw WHERE store_id = $1 AND key = $2
        AND (expires_at IS NULL OR expires_at > $3)`;
      const [row] = await ask("get", text, [1, Buffer.from(key), Date.now()]);
      // What was read is what was written.
      return JSON.parse(String(row?.[0])) as Stored;
    },
    async set(key, value) {
      const text = `INSERT INTO raw VALUES ($1, $2, $3, $4, 1, NULL)
        ON CONFLICT (store_id, key) DO UPDATE SET value = excluded.value, etag = excluded.etag,
        version = excluded.version, expires_at = excluded.expires_at`;
      const etag = nextEtag();
      await ask("set", text, [1, Buffer.from(key), JSON.stringify(value), etag]);
      return etag;
    },
    async replace(key, value, old) {
      const text = `UPDATE raw SET value = $3, etag = $4, version = 1, expires_at = NULL
        WHERE store_id = $1 AND key = $2 AND etag = $5
        AND (expires_at IS NULL OR expires_at > $6)`;
      const etag = nextEtag();
      const json = JSON.stringify(value);
      await ask("replace", text, [1, Buffer.from(key), json, etag, old, Date.now()]);
      return etag;
    },
    close: () => pool.end(),
  },
  Number(keys),
);
