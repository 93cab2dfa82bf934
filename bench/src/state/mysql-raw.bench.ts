/**
 * Subject: `mysql2` by hand: the same columns, prepared statements, a pool as large as the load,
 * one statement for each call. Arguments: URL, keys.
 */

import { createPool } from "mysql2/promise";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { Stored } from "../embedded/records.ts";
import { serveRecords } from "./sql-questions.ts";

const [url = "", keys = "0"] = process.argv.slice(2);
const pool = createPool({ uri: url, connectionLimit: 16, charset: "UTF8MB4_BIN" });
await pool.query(
  `CREATE TABLE raw_entries (
     store_id INT NOT NULL, \`key\` VARBINARY(512) NOT NULL, value LONGTEXT NOT NULL,
     etag VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, version BIGINT NOT NULL,
     expires_at DOUBLE, PRIMARY KEY (store_id, \`key\`), INDEX (expires_at)
   ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
);
const run = Math.random().toString(36).slice(2, 10);
let writes = 0;

const nextEtag = (): string => `${run}-${(writes += 1).toString(36)}`;

type Values = (string | number | Buffer)[];

async function write(text: string, values: Values): Promise<void> {
  const [{ affectedRows }] = await pool.execute<ResultSetHeader>(text, values);
  if (affectedRows === 0) throw new Error("The condition does not hold.");
}

await serveRecords(
  {
    async get(key) {
      const sql = `SELECT value, etag, version FROM raw_entries WHERE store_id = ? AND \`key\` = ?
        AND (expires_at IS NULL OR expires_at > ?)`;
      const values = [1, Buffer.from(key), Date.now()];
      const [rows] = await pool.execute<RowDataPacket[][]>({ sql, rowsAsArray: true }, values);
      const [row] = rows;
      // What was read is what was written.
      return JSON.parse(row?.[0] as unknown as string) as Stored;
    },
    async set(key, value) {
      const text = `INSERT INTO raw_entries VALUES (?, ?, ?, ?, 1, NULL)
        ON DUPLICATE KEY UPDATE value = VALUES(value), etag = VALUES(etag),
        version = VALUES(version), expires_at = VALUES(expires_at)`;
      const etag = nextEtag();
      await write(text, [1, Buffer.from(key), JSON.stringify(value), etag]);
      return etag;
    },
    async replace(key, value, old) {
      const text = `UPDATE raw_entries SET value = ?, etag = ?, version = 1, expires_at = NULL
        WHERE store_id = ? AND \`key\` = ? AND etag = ?
        AND (expires_at IS NULL OR expires_at > ?)`;
      const etag = nextEtag();
      const json = JSON.stringify(value);
      await write(text, [json, etag, 1, Buffer.from(key), old, Date.now()]);
      return etag;
    },
    close: () => pool.end(),
  },
  Number(keys),
);
