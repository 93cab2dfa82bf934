/**
 * A PostgreSQL as the table's engine needs it.
 *
 * What it owns: the pool that reads, and which server process wrote last. What may interrupt it:
 * the ends of connections, the deadline of a statement.
 */

import pg from "pg";
import type { Client, Pool, PoolClient } from "pg";
import { connectPatiently, inTime, TableFailure } from "@banyan/state/internal";
import type {
  TableDatabase,
  TableKey,
  TableOutboxRows,
  TableRow,
  TableScan,
  TableWriter,
} from "@banyan/state/internal";
import { postgresErrors } from "./errors.ts";
import { migrate } from "./migrations.ts";
import type { ResolvedPostgresOptions } from "./options.ts";
import { clientConfig, createClient, placeOf } from "./postgres-connection.ts";
import type { OwnedClient } from "./postgres-connection.ts";
import { connectFailure, isAnswer, statementFailure } from "./postgres-failure.ts";
import { createPostgresOutbox } from "./postgres-outbox.ts";
import { createSql, tableNames } from "./postgres-sql.ts";
import type { PostgresSql } from "./postgres-sql.ts";
import { PostgresWriter, rowOf, run } from "./postgres-writer.ts";

/** A process of the server, by what no other one has. */
interface Backend {
  readonly pid: number;
  readonly startedAt: string;
}

/** @throws POSTGRES_UNREACHABLE and the other names of `errors.ts` */
export async function openPostgresDatabase(
  options: ResolvedPostgresOptions,
): Promise<TableDatabase> {
  const place = placeOf(options);
  try {
    await connectPatiently(() => prepare(options), { ...options, place });
  } catch (error) {
    if (!(error instanceof TableFailure)) throw error;
    throw postgresErrors.POSTGRES_UNREACHABLE(
      `PostgreSQL at ${place} did not answer within ${options.connectTimeoutMs} ms ` +
        `(${error.message}); check host, port and network, and whether it runs.`,
      { details: { place }, cause: error },
    );
  }
  return new PostgresDatabase(options);
}

/** Looks whether the database is one to work with, and makes what it lacks. */
async function prepare(options: ResolvedPostgresOptions): Promise<void> {
  const owned = await connect(options, false);
  try {
    await inTime(boundOf(options, owned), () => makeTables(owned.client, options));
  } catch (error) {
    throw statementFailure(error);
  } finally {
    owned.destroy();
  }
}

async function makeTables(client: Client, options: ResolvedPostgresOptions): Promise<void> {
  const place = placeOf(options);
  const { rows } = await client.query<{ encoding: string; replica: boolean }>(
    "SELECT current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS replica",
  );
  const [row] = rows;
  if (row?.replica === true) throw new TableFailure("refused", "it is a read-only replica");
  if (row?.encoding !== "UTF8") {
    throw postgresErrors.POSTGRES_UNSUITABLE(
      `The database at ${place} is encoded in ${row?.encoding}; create it with ENCODING 'UTF8'.`,
      { details: { place } },
    );
  }
  await migrate(client, tableNames(options.schema, options.tablePrefix), place);
  await client.end();
}

/** A server may stand still after it took a connection. */
function boundOf({ clock, commandTimeoutMs }: ResolvedPostgresOptions, owned: OwnedClient) {
  return { clock, timeoutMs: commandTimeoutMs, giveUp: () => owned.destroy() };
}

async function connect(options: ResolvedPostgresOptions, pipeline: boolean): Promise<OwnedClient> {
  const owned = createClient(options, pipeline);
  try {
    await owned.client.connect();
    return owned;
  } catch (error) {
    owned.destroy();
    throw connectFailure(error, placeOf(options));
  }
}

class PostgresDatabase implements TableDatabase {
  readonly place: string;
  readonly valueBytesMax = 2 ** 26; // what a store allows at most; the server takes more
  readonly outbox: TableOutboxRows;
  readonly #options: ResolvedPostgresOptions;
  readonly #sql: PostgresSql;
  readonly #pool: Pool;
  #lastWriter: Backend | undefined = undefined;

  constructor(options: ResolvedPostgresOptions) {
    this.place = placeOf(options);
    this.#options = options;
    this.#sql = createSql(tableNames(options.schema, options.tablePrefix));
    this.outbox = createPostgresOutbox(this.#sql, (statement, values) =>
      this.#ask((client) => run(client, statement, values)),
    );
    this.#pool = new pg.Pool({
      ...clientConfig(options),
      max: options.poolSize,
      idleTimeoutMillis: 30_000,
    });
    // An idle connection that ends is replaced by the next one who asks.
    this.#pool.on("error", () => undefined);
    // One in use that ends tells whoever asked; without a listener it would end the process too.
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  async openStore(scope: string, name: string): Promise<number> {
    return this.#ask(async (client) => {
      const find = () => run<readonly [number]>(client, this.#sql.storeId, [scope, name]);
      const { rows: known } = await find();
      if (known[0] !== undefined) return known[0][0];
      await run(client, this.#sql.addStore, [scope, name]);
      const { rows: made } = await find();
      if (made[0] === undefined) throw new TableFailure("refused", "the store was not registered");
      return made[0][0];
    });
  }

  async read(keys: readonly TableKey[]): Promise<readonly TableRow[]> {
    const { get, getMany } = this.#sql;
    const [first] = keys;
    const { rows } = await this.#ask((client) => {
      if (keys.length === 1 && first !== undefined) {
        return run(client, get, [first.store, Buffer.from(first.key)]);
      }
      return run(client, getMany, [
        JSON.stringify(keys.map(({ store, key }) => ({ s: store, k: key }))),
      ]);
    });
    return rows.map(rowOf);
  }

  async scan({ store, from, after, end, now, limit }: TableScan): Promise<readonly TableRow[]> {
    const values = [store, Buffer.from(from), Buffer.from(after), now, limit];
    const { rows } = await this.#ask((client) =>
      end === undefined
        ? run(client, this.#sql.scan, values)
        : run(client, this.#sql.scanTo, [...values, Buffer.from(end)]),
    );
    return rows.map(rowOf);
  }

  async count(store: number, now: number): Promise<number> {
    const { rows } = await this.#ask((client) =>
      run<readonly [number]>(client, this.#sql.count, [store, now]),
    );
    return rows[0]?.[0] ?? NaN;
  }

  async sweep(now: number, limit: number): Promise<number> {
    const { rowCount } = await this.#ask((client) => run(client, this.#sql.sweep, [now, limit]));
    return rowCount ?? 0;
  }

  async nowMs(): Promise<number> {
    const text = "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000";
    const { rows } = await this.#ask((client) =>
      run<readonly [number]>(client, { name: "banyan_now", text }, []),
    );
    return rows[0]?.[0] ?? NaN;
  }

  async check(): Promise<void> {
    const text = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";
    const { rows } = await this.#ask((client) =>
      run<readonly [boolean]>(client, { name: "banyan_check", text }, []),
    );
    if (rows[0]?.[0] !== false) throw new TableFailure("refused", `${this.place} is read-only`);
  }

  /**
   * The process of the last writer is ended first: it may hold rows for a connection that is gone,
   * and would let them go by itself only after a while. But not in its commit, which ends by
   * itself: one that waits for a synchronous replica would stop to wait, and show everybody what a
   * failover then loses.
   */
  async connectWriter(): Promise<TableWriter> {
    const owned = await connect(this.#options, true);
    try {
      await inTime(boundOf(this.#options, owned), () => this.#introduce(owned.client));
      return new PostgresWriter(owned, this.#sql);
    } catch (error) {
      owned.destroy();
      throw statementFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #introduce(client: Client): Promise<void> {
    const last = this.#lastWriter;
    if (last !== undefined) {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid = $1 AND backend_start::text = $2 AND pid <> pg_backend_pid()
           AND NOT (state = 'active' AND query = 'COMMIT')`,
        [last.pid, last.startedAt],
      );
    }
    const { rows } = await client.query<Backend & { safety: string; replica: boolean }>(
      `SELECT pid, backend_start::text AS "startedAt", pg_is_in_recovery() AS replica,
         current_setting('synchronous_commit') AS safety
       FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
    );
    const [row] = rows;
    if (row === undefined || row.replica) {
      throw new TableFailure("down", `${this.place} is a read-only replica`);
    }
    this.#lastWriter = { pid: row.pid, startedAt: row.startedAt };
    // Acknowledged is on disk, whatever the server thinks is enough for others.
    if (row.safety === "off") await client.query("SET synchronous_commit = on");
  }

  /** One question on a connection of the pool, which is given up when the time is over. */
  async #ask<T>(question: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw connectFailure(error, this.place);
    });
    const { clock, commandTimeoutMs } = this.#options;
    const late = Promise.withResolvers<never>();
    const cancel = clock.setTimer(
      commandTimeoutMs,
      () => late.reject(new TableFailure("lost", `no answer within ${commandTimeoutMs} ms`)),
      { keepAlive: true },
    );
    try {
      const answer = await Promise.race([question(client), late.promise]);
      client.release();
      return answer;
    } catch (error) {
      // What the server refused leaves the connection well; anything else does not.
      client.release(!isAnswer(error));
      throw statementFailure(error);
    } finally {
      cancel();
    }
  }
}
