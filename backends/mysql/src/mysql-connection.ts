/**
 * One connection to a MariaDB or MySQL, set up so that every server does the same: strict, UTF-8
 * compared by bytes, UTC, no locks on gaps, bounded waits.
 *
 * What it owns: the socket. What may interrupt it: its end, at any moment.
 */

import { connect } from "node:net";
import type { Socket } from "node:net";
import { createConnection } from "mysql2";
import type { Connection, QueryError } from "mysql2";
import { inTime } from "@banyan/state/internal";
import type { ResolvedMysqlOptions } from "./options.ts";
import { connectFailure, statementFailure } from "./mysql-failure.ts";

/** Host, port and database; never a secret. */
export function placeOf({ host, port, database }: ResolvedMysqlOptions): string {
  return `${host}:${port}/${database}`;
}

/** What comes back: lists of columns, for one statement or for each. */
export type Columns = readonly unknown[];

export class MysqlConnection {
  readonly #connection: Connection;
  readonly #socket: Socket;
  #isUsable = true;

  private constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
    // Whoever waits for an answer is told; who does not finds the connection gone.
    const onGone = (): void => {
      this.#isUsable = false;
    };
    connection.on("error", onGone);
    socket.once("close", onGone);
  }

  /** @throws MYSQL_LOGIN_REFUSED, MYSQL_TLS_REFUSED, or a TableFailure of the kind "down" */
  static async open(options: ResolvedMysqlOptions): Promise<MysqlConnection> {
    const { host, port, database, user, password, tls, clock, commandTimeoutMs } = options;
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    const secure = tls === undefined ? {} : { ssl: sslOf(tls) };
    const connection = createConnection({
      // The name that a certificate is held against; the socket knows the way.
      host: tls?.serverName ?? host,
      database,
      user,
      password,
      ...secure,
      stream: () => socket,
      charset: "UTF8MB4_BIN",
      connectTimeout: commandTimeoutMs,
      multipleStatements: true,
      rowsAsArray: true,
    });
    const opened = new MysqlConnection(connection, socket);
    try {
      const giveUp = (): void => opened.destroy();
      await inTime({ clock, timeoutMs: commandTimeoutMs, giveUp }, async () => {
        await promised((done) => connection.connect(done));
        await opened.#setUp(options);
      });
      return opened;
    } catch (error) {
      opened.destroy();
      throw connectFailure(error, placeOf(options));
    }
  }

  /** False once it was lost or destroyed. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Rows of one statement. */
  async rows(sql: string, values: Columns = []): Promise<readonly Columns[]> {
    const results: unknown = await this.query(sql, values);
    // A statement that selects answers with its rows, as arrays.
    return results as readonly Columns[];
  }

  /** As text, values put in by the driver; several statements at once answer one result each. */
  async query(sql: string, values: Columns = []): Promise<unknown> {
    try {
      return await promised((done) => this.#connection.query(sql, [...values], done));
    } catch (error) {
      throw statementFailure(error);
    }
  }

  /** Prepared, once for each text. */
  async execute(sql: string, values: readonly (number | Buffer)[]): Promise<readonly Columns[]> {
    try {
      const rows = await promised((done) => this.#connection.execute(sql, [...values], done));
      // As above.
      return rows as readonly Columns[];
    } catch (error) {
      throw statementFailure(error);
    }
  }

  /** At once: what is under way rejects. */
  destroy(): void {
    this.#isUsable = false;
    this.#socket.destroy(new Error("the connection was given up"));
    this.#connection.destroy();
  }

  async #setUp({ commandTimeoutMs }: ResolvedMysqlOptions): Promise<void> {
    const seconds = Math.max(1, Math.ceil(commandTimeoutMs / 1000));
    await this.query(
      `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',
         autocommit = 1, innodb_lock_wait_timeout = ${seconds};
       SET NAMES utf8mb4 COLLATE utf8mb4_bin;
       SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;`,
    );
    const [row] = await this.rows("SELECT VERSION()");
    // MySQL has neither: a lost connection's locks end there when the next writer ends it.
    if (!String(row?.[0]).includes("MariaDB")) return;
    await this.query(
      `SET SESSION max_statement_time = ${commandTimeoutMs / 1000},
         idle_transaction_timeout = ${2 * seconds}`,
    );
  }
}

function sslOf({ ca, cert, key }: NonNullable<ResolvedMysqlOptions["tls"]>) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: true,
    verifyIdentity: true,
  };
}

function promised(
  start: (done: (error: QueryError | null, result?: unknown) => void) => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error);
    });
  });
}
