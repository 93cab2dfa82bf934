/**
 * A MariaDB or MySQL as the table's engine needs it.
 *
 * What it owns: the pool that reads, and the name of a lock that its writer holds. What may
 * interrupt it: the ends of connections, the deadline of a statement.
 */

import { connectPatiently, inTime, TableFailure } from "@banyan/state/internal";
import type {
  TableDatabase,
  TableKey,
  TableOutboxRows,
  TableRow,
  TableScan,
  TableWriter,
} from "@banyan/state/internal";
import { ConnectionPool } from "./connection-pool.ts";
import { mysqlErrors } from "./errors.ts";
import { migrate } from "./migrations.ts";
import { MysqlConnection, placeOf } from "./mysql-connection.ts";
import { statementFailure } from "./mysql-failure.ts";
import { createMysqlOutbox } from "./mysql-outbox.ts";
import { createSql, tableNames } from "./mysql-sql.ts";
import type { MysqlSql, TableNames } from "./mysql-sql.ts";
import { MysqlWriter, rowOf } from "./mysql-writer.ts";
import type { ResolvedMysqlOptions } from "./options.ts";

const PACKET_ROOM = 65_536; // for what stands around the rows of a statement

/** @throws MYSQL_UNREACHABLE and the other names of `errors.ts` */
export async function openMysqlDatabase(options: ResolvedMysqlOptions): Promise<TableDatabase> {
  const place = placeOf(options);
  try {
    const packetBytes = await connectPatiently(() => prepare(options), { ...options, place });
    return new MysqlDatabase(options, packetBytes);
  } catch (error) {
    if (!(error instanceof TableFailure)) throw error;
    throw mysqlErrors.MYSQL_UNREACHABLE(
      `The server at ${place} did not answer within ${options.connectTimeoutMs} ms ` +
        `(${error.message}); check host, port and network, and whether it runs.`,
      { details: { place }, cause: error },
    );
  }
}

/** Makes what the database lacks; answers how large a packet it takes. */
async function prepare(options: ResolvedMysqlOptions): Promise<number> {
  const connection = await MysqlConnection.open(options);
  try {
    return await inTime(boundOf(options, connection), () => makeTables(connection, options));
  } finally {
    connection.destroy();
  }
}

async function makeTables(
  connection: MysqlConnection,
  options: ResolvedMysqlOptions,
): Promise<number> {
  const place = placeOf(options);
  const [row] = await connection.rows(
    "SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, @@read_only",
  );
  if (Number(row?.[2]) === 1) throw new TableFailure("refused", "it is read-only");
  if (Number(row?.[1]) !== 1) {
    const hint = "innodb_flush_log_at_trx_commit is not 1: a power cut may lose what it told";
    options.log.warn(hint, { at: place });
  }
  const lockSeconds = Math.max(1, Math.floor(options.commandTimeoutMs / 2000));
  await migrate(connection, tableNames(options.tablePrefix), { place, lockSeconds });
  return Number(row?.[0]);
}

/** A server may stand still after it took a connection. */
function boundOf({ clock, commandTimeoutMs }: ResolvedMysqlOptions, connection: MysqlConnection) {
  return { clock, timeoutMs: commandTimeoutMs, giveUp: () => connection.destroy() };
}

class MysqlDatabase implements TableDatabase {
  readonly place: string;
  readonly valueBytesMax: number;
  readonly outbox: TableOutboxRows;
  readonly #options: ResolvedMysqlOptions;
  readonly #names: TableNames;
  readonly #sql: MysqlSql;
  readonly #pool: ConnectionPool;
  readonly #flightBytesMax: number;
  /** Held by the writer's connection for as long as the server thinks that it is there. */
  readonly #writerLock: string;

  constructor(options: ResolvedMysqlOptions, packetBytes: number) {
    this.place = placeOf(options);
    this.#options = options;
    this.#names = tableNames(options.tablePrefix);
    this.#sql = createSql(this.#names);
    this.outbox = createMysqlOutbox(this.#names, (question) => this.#ask(question));
    const { clock, poolSize: size, commandTimeoutMs: timeoutMs } = options;
    const open = () => MysqlConnection.open(options);
    this.#pool = new ConnectionPool({ open, clock, size, timeoutMs });
    this.#flightBytesMax = Math.max(1024, packetBytes - PACKET_ROOM);
    // Escaping at most doubles a text.
    this.valueBytesMax = Math.min(2 ** 26, Math.floor(this.#flightBytesMax / 2));
    const nonce = Buffer.from(options.random.bytes(12)).toString("base64url");
    this.#writerLock = `banyan-writer-${nonce}`;
  }

  async openStore(scope: string, name: string): Promise<number> {
    const { stores } = this.#names;
    const values = [Buffer.from(scope), Buffer.from(name)];
    const find = `SELECT id FROM ${stores} WHERE scope = ? AND name = ?`;
    const add = `INSERT INTO ${stores} (scope, name) VALUES (?, ?) ON DUPLICATE KEY UPDATE id = id`;
    return this.#ask(async (connection) => {
      const [known] = await connection.rows(find, values);
      if (known !== undefined) return Number(known[0]);
      await connection.query(add, values);
      const [made] = await connection.rows(find, values);
      return Number(made?.[0]);
    });
  }

  async read(keys: readonly TableKey[]): Promise<readonly TableRow[]> {
    const byStore = Map.groupBy(keys, ({ store }) => store);
    return this.#ask(async (connection) => {
      const rows: TableRow[] = [];
      for (const [store, listed] of byStore) {
        const values = listed.map(({ key }) => Buffer.from(key));
        // Few lengths are few texts to prepare: the last key is named again up to the next one.
        const length = 2 ** Math.ceil(Math.log2(values.length));
        const last = values.at(-1) ?? Buffer.alloc(0);
        while (values.length < length) values.push(last);
        const found = await connection.execute(this.#sql.read(length), [store, ...values]);
        for (const columns of found) rows.push(rowOf(columns));
      }
      return rows;
    });
  }

  async scan({ store, from, after, end, now, limit }: TableScan): Promise<readonly TableRow[]> {
    const { all, to } = this.#sql.scan;
    const values = [store, Buffer.from(from), Buffer.from(after), now];
    const rows = await this.#ask((connection) =>
      end === undefined
        ? connection.rows(all, [...values, limit])
        : connection.rows(to, [...values, Buffer.from(end), limit]),
    );
    return rows.map(rowOf);
  }

  async count(store: number, now: number): Promise<number> {
    const [row] = await this.#ask((connection) => connection.rows(this.#sql.count, [store, now]));
    return Number(row?.[0]);
  }

  async sweep(now: number, limit: number): Promise<number> {
    const result = await this.#ask((connection) => connection.query(this.#sql.sweep, [now, limit]));
    // A statement that changes rows answers with their number.
    return (result as { readonly affectedRows: number }).affectedRows;
  }

  async nowMs(): Promise<number> {
    const text = "SELECT UNIX_TIMESTAMP(NOW(6)) * 1000";
    const [row] = await this.#ask((connection) => connection.rows(text));
    return Number(row?.[0]);
  }

  async check(): Promise<void> {
    const [row] = await this.#ask((connection) => connection.rows("SELECT @@read_only"));
    if (Number(row?.[0]) !== 0) throw new TableFailure("refused", `${this.place} is read-only`);
  }

  /**
   * The server's thread of the last writer is ended first: it may hold rows for a connection that
   * is gone. It is known by the lock that it holds, for numbers of threads begin anew.
   */
  async connectWriter(): Promise<TableWriter> {
    const connection = await MysqlConnection.open(this.#options);
    try {
      await inTime(boundOf(this.#options, connection), () => this.#introduce(connection));
      return new MysqlWriter(connection, this.#sql, this.#flightBytesMax);
    } catch (error) {
      connection.destroy();
      throw statementFailure(error);
    }
  }

  async #introduce(connection: MysqlConnection): Promise<void> {
    const [last] = await connection.rows("SELECT IS_USED_LOCK(?)", [this.#writerLock]);
    if (typeof last?.[0] === "number") {
      // It may have ended by itself meanwhile.
      await connection.query(`KILL CONNECTION ${last[0]}`).catch(() => undefined);
    }
    // Not waited for long: it is for the next writer, and rows are locked by themselves.
    await connection.query("DO GET_LOCK(?, 1)", [this.#writerLock]);
  }

  close(): Promise<void> {
    this.#pool.close();
    return Promise.resolve();
  }

  /** One question on a connection of the pool, which is given up when the time is over. */
  async #ask<T>(question: (connection: MysqlConnection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.take();
    let isBroken = true;
    try {
      const answer = await inTime(boundOf(this.#options, connection), () => question(connection));
      isBroken = false;
      return answer;
    } catch (error) {
      const failure = statementFailure(error);
      isBroken = failure instanceof TableFailure && failure.kind === "lost";
      throw failure;
    } finally {
      this.#pool.giveBack(connection, { isBroken });
    }
  }
}
