/**
 * The tables, as a list of steps; a row of their own says how many were taken.
 *
 * A step that was released is never edited: databases out there have taken it. Add a new one.
 * Steps run under an advisory lock in one transaction, so many nodes may start at once.
 */

import type { Client } from "pg";
import { postgresErrors } from "./errors.ts";
import { isServerError } from "./postgres-failure.ts";
import type { TableNames } from "./postgres-sql.ts";

type Step = (names: TableNames) => string;

const steps: readonly Step[] = Object.freeze([
  ({ stores, entries }: TableNames) => `
    CREATE TABLE ${stores} (
      id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      scope text COLLATE "C" NOT NULL,
      name text COLLATE "C" NOT NULL,
      UNIQUE (scope, name)
    );
    CREATE TABLE ${entries} (
      store_id integer NOT NULL,
      key bytea NOT NULL,
      value text NOT NULL,
      etag text COLLATE "C" NOT NULL,
      version bigint NOT NULL,
      expires_at double precision,
      revision bigint,
      created_at double precision,
      updated_at double precision,
      PRIMARY KEY (store_id, key)
    ) WITH (fillfactor = 85);
    CREATE INDEX ON ${entries} (expires_at) WHERE expires_at IS NOT NULL;`,
  // Rows come and go at the rate of the events, so what they leave behind is cleaned up early.
  ({ outbox }: TableNames) => `
    CREATE TABLE ${outbox} (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      load text NOT NULL,
      held_by text COLLATE "C" NOT NULL,
      held_until double precision NOT NULL,
      aside text
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);`,
]);

/**
 * Takes the steps that the database lacks, all or none.
 * @throws POSTGRES_SCHEMA_NEWER, POSTGRES_UNSUITABLE
 */
export async function migrate(client: Client, names: TableNames, place: string): Promise<void> {
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [names.steps]);
    await takeSteps(client, names, place);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined); // it has rolled back, or is gone
    throw unsuitable(error, place) ?? error;
  }
}

async function takeSteps(client: Client, names: TableNames, place: string): Promise<void> {
  const taken = await stepsTaken(client, names);
  if (taken > steps.length) {
    throw postgresErrors.POSTGRES_SCHEMA_NEWER(
      `The tables of schema ${names.schema} at ${place} have taken ${taken} steps, this version ` +
        `knows ${steps.length}; run the newer version.`,
      { details: { place, schema: taken, known: steps.length } },
    );
  }
  if (taken === steps.length) return;
  if (taken === 0) {
    await client.query(`CREATE TABLE ${names.steps} (taken integer NOT NULL)`);
    await client.query(`INSERT INTO ${names.steps} VALUES (0)`);
  }
  for (const step of steps.slice(taken)) await client.query(step(names));
  await client.query(`UPDATE ${names.steps} SET taken = $1`, [steps.length]);
}

async function stepsTaken(client: Client, names: TableNames): Promise<number> {
  const schema = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
  if ((await client.query(schema, [names.schema])).rowCount === 0) {
    await client.query(`CREATE SCHEMA "${names.schema}"`);
  }
  const table = await client.query<{ found: string | null }>("SELECT to_regclass($1) AS found", [
    names.steps,
  ]);
  if (typeof table.rows[0]?.found !== "string") return 0;
  const { rows } = await client.query<{ taken: number }>(`SELECT taken FROM ${names.steps}`);
  return rows[0]?.taken ?? 0;
}

function unsuitable(error: unknown, place: string): Error | undefined {
  if (!isServerError(error) || !["42501", "25006", "42P07", "42P06"].includes(error.code)) return;
  return postgresErrors.POSTGRES_UNSUITABLE(
    `The database at ${place} cannot be prepared for stores (${error.message}); let the user make ` +
      `schema and tables there, or choose another schema.`,
    { details: { place }, cause: error },
  );
}
