/**
 * The tables, as a list of steps; a row of their own says how many were taken.
 *
 * A step that was released is never edited: databases out there have taken it. Add a new one.
 * These servers commit each change of a table by itself, so a step must do no harm when it is
 * taken again after a crash. A named lock lets many nodes start at once.
 */

import { createHash } from "node:crypto";
import { TableFailure } from "@banyan/state/internal";
import { mysqlErrors } from "./errors.ts";
import type { MysqlConnection } from "./mysql-connection.ts";
import type { TableNames } from "./mysql-sql.ts";

type Step = (names: TableNames) => string;

const form = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

const steps: readonly Step[] = Object.freeze([
  ({ stores, entries }: TableNames) => `
    CREATE TABLE IF NOT EXISTS ${stores} (
      id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      scope VARBINARY(128) NOT NULL,
      name VARBINARY(128) NOT NULL,
      UNIQUE (scope, name)
    ) ${form};
    CREATE TABLE IF NOT EXISTS ${entries} (
      store_id INT NOT NULL,
      \`key\` VARBINARY(512) NOT NULL,
      value LONGTEXT NOT NULL,
      etag VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      version BIGINT NOT NULL,
      expires_at DOUBLE,
      revision BIGINT,
      created_at DOUBLE,
      updated_at DOUBLE,
      PRIMARY KEY (store_id, \`key\`),
      INDEX by_expiry (expires_at)
    ) ${form};`,
  ({ outbox }: TableNames) => `
    CREATE TABLE IF NOT EXISTS ${outbox} (
      id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
      \`load\` LONGTEXT NOT NULL,
      held_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      held_until DOUBLE NOT NULL,
      aside TEXT
    ) ${form};`,
]);

/**
 * Takes the steps that the database lacks.
 * @throws MYSQL_SCHEMA_NEWER, MYSQL_UNSUITABLE
 */
export async function migrate(
  connection: MysqlConnection,
  names: TableNames,
  { place, lockSeconds }: { readonly place: string; readonly lockSeconds: number },
): Promise<void> {
  const digest = createHash("sha256").update(`${place} ${names.steps}`).digest("base64url");
  const lock = `banyan-steps-${digest.slice(0, 24)}`;
  const [held] = await connection.rows("SELECT GET_LOCK(?, ?)", [lock, lockSeconds]);
  if (Number(held?.[0]) !== 1) throw new TableFailure("down", "another node makes the tables");
  try {
    await takeSteps(connection, names, place);
  } catch (error) {
    throw unsuitable(error, place);
  } finally {
    await connection.query("DO RELEASE_LOCK(?)", [lock]).catch(() => undefined); // ends with it
  }
}

async function takeSteps(
  connection: MysqlConnection,
  names: TableNames,
  place: string,
): Promise<void> {
  const find =
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() " +
    "AND table_name = ?";
  const [found] = await connection.rows(find, [names.steps.replaceAll("`", "")]);
  const rows = found === undefined ? [] : await connection.rows(`SELECT taken FROM ${names.steps}`);
  const taken = Number(rows[0]?.[0] ?? 0);
  if (taken > steps.length) {
    throw mysqlErrors.MYSQL_SCHEMA_NEWER(
      `The tables at ${place} have taken ${taken} steps, this version knows ${steps.length}; ` +
        `run the newer version.`,
      { details: { place, schema: taken, known: steps.length } },
    );
  }
  if (taken === steps.length) return;
  if (rows.length === 0) {
    await connection.query(
      `CREATE TABLE IF NOT EXISTS ${names.steps} (taken INT NOT NULL) ${form};
       INSERT INTO ${names.steps} VALUES (0);`,
    );
  }
  for (const step of steps.slice(taken)) await connection.query(step(names));
  await connection.query(`UPDATE ${names.steps} SET taken = ?`, [steps.length]);
}

function unsuitable(error: unknown, place: string): unknown {
  if (!(error instanceof TableFailure) || error.kind !== "refused") return error;
  return mysqlErrors.MYSQL_UNSUITABLE(
    `The database at ${place} cannot be prepared for stores (${error.message}); let the user make ` +
      `tables there, or choose another database.`,
    { details: { place }, cause: error },
  );
}
