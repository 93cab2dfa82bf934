// Subject: `node:sqlite` on a file filled by state-raw.bench.ts. Arguments: file, keys.

import { DatabaseSync } from "node:sqlite";
import { serveGets } from "./random-gets.mjs";

const [file, keys] = process.argv.slice(2);
const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
const statement = database.prepare(
  `SELECT key, value, etag, version FROM entries
   WHERE store_id = 1 AND key = ? AND (expires_at IS NULL OR expires_at > ?)`,
);
statement.setReturnArrays(true);

function get(key) {
  const row = statement.get(key, Date.now());
  return row === undefined ? undefined : JSON.parse(row[1]);
}

serveGets(Number(keys), get);
