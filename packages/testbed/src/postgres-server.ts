/**
 * A real PostgreSQL for one test: its own data, its own port, nobody else's processes. Its life is
 * that of every server of a test (S1 to S3 of server-process). It runs as an unprivileged user, for
 * it refuses to run as root.
 *
 * What it owns besides: a segment of shared memory, which a killed one leaves behind.
 * What may interrupt a replica besides: its primary's end; it keeps what it has and tries again.
 */

import { spawnProgram } from "./child.ts";
import type { Child } from "./child.ts";
import { databaseName, databasePassword, databaseUser } from "./database-user.ts";
import {
  copyPrimary,
  dataFolderOf,
  makeData,
  postgresPrograms,
  postgresSuperuser,
  removeSharedMemory,
  writeAccess,
} from "./postgres-data.ts";
import type { PostgresHome } from "./postgres-data.ts";
import { atProcessEnd } from "./process-end.ts";
import { ensurePrograms } from "./required-programs.ts";
import { assertNotOwn, ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { directoryOf, findServerUser } from "./server-user.ts";
import type { ServerTls } from "./test-certificates.ts";
import { until } from "./until.ts";
import { withTimeout } from "./with-timeout.ts";

export interface PostgresOptions extends ServerOptions {
  /**
   * Settings of `postgresql.conf`, such as `{ max_connections: "20" }`. What is not named is as
   * PostgreSQL ships it (`fsync` is on), but for less memory and a keener replica.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Speak TLS on the port, and refuse whoever does not. `TestCertificates` fit. */
  readonly tls?: ServerTls;
  /**
   * Follow this one by streaming replication, read-only, until promoted. Its `cluster_name` is what
   * the primary's `synchronous_standby_names` calls it.
   */
  readonly replicaOf?: PostgresServer;
}

export interface PostgresAsk {
  /** As the superuser instead of the clients' user. Default false. */
  readonly superuser?: boolean;
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
}

type Settings = Readonly<Record<string, string>>;

/** Settings that make the server a private one; they are not for the caller to set. */
const ownSettings = [
  "data_directory",
  "hba_file",
  "listen_addresses",
  "port",
  "unix_socket_directories",
  "ssl",
  "ssl_ca_file",
  "ssl_cert_file",
  "ssl_key_file",
];
const defaults = {
  shared_buffers: "32MB",
  max_wal_size: "256MB",
  wal_keep_size: "64MB", // a replica that was down for the length of a test finds what it missed
  wal_retrieve_retry_interval: "100ms", // and looks for it at once, not every five seconds
  log_checkpoints: "off",
};
const host = "127.0.0.1";

/**
 * Starts a PostgreSQL and waits until it is ready; a replica, until it has what its primary had.
 * Rejects when there is none and none can be installed; the message says what to do.
 */
export async function openPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { config = {}, tls, replicaOf, startTimeoutMs } = options;
  assertNotOwn(config, ownSettings);
  const programs = await ensurePrograms(postgresPrograms);
  const user = await findServerUser(["postgres", "nobody"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await directoryOf(user, "postgres"));
  const home = { programs, folder, user };
  stack.defer(() => removeSharedMemory(dataFolderOf(folder)));
  await (replicaOf === undefined ? makeData(home) : copyPrimary(home, replicaOf));
  const settings = { ...defaults, ...config, ...(await writeAccess(home, tls)) };
  const server = await startOnFreePort((port) => {
    return new PostgresServer({
      what: "PostgreSQL",
      stopSignal: "SIGINT", // clients do not keep it from ending
      folder,
      home,
      settings,
      port,
      replicaOf,
      ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    });
  });
  stack.use(server);
  if (replicaOf !== undefined) await server.untilCaughtUp();
  stack.move(); // whoever asked ends the server, which removes its folder
  return server;
}

interface PostgresParts extends ServerParts {
  readonly home: PostgresHome;
  readonly settings: Settings;
  readonly port: number;
  readonly replicaOf: PostgresServer | undefined;
}

/** A PostgreSQL that runs; `openPostgres` makes it. */
export class PostgresServer extends ServerProcess {
  readonly host = host;
  readonly port: number;
  readonly user = databaseUser;
  readonly password = databasePassword;
  readonly database = databaseName;
  readonly #home: PostgresHome;
  readonly #settings: Settings;
  readonly #forget: () => void;
  #primary: PostgresServer | undefined;

  /** Use `openPostgres`. */
  constructor(parts: PostgresParts) {
    super(parts);
    this.port = parts.port;
    this.#home = parts.home;
    this.#settings = parts.settings;
    this.#primary = parts.replicaOf;
    this.#forget = atProcessEnd(() => removeSharedMemory(this.#data));
  }

  /** For clients: `postgres://banyan:banyan@127.0.0.1:49152/banyan`. The user owns the database. */
  get url(): string {
    const { user, password, port, database } = this;
    return `postgres://${user}:${password}@${host}:${port}/${database}`;
  }

  /**
   * What `psql` prints to statements that come by the socket, as the clients' user: a line for each
   * row, `|` between columns, nothing for null. Rejects with PostgreSQL's own words.
   */
  async ask(sql: string, options: PostgresAsk = {}): Promise<string> {
    const { superuser = false, timeoutMs = 10_000 } = options;
    const where = ["-h", this.directory, "-p", String(this.port), "-d", databaseName];
    const who = ["-U", superuser ? postgresSuperuser : databaseUser];
    const how = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"];
    const env = { PGOPTIONS: undefined, PGCONNECT_TIMEOUT: undefined };
    const { psql } = this.#home.programs;
    await using child = spawnProgram(psql, [...where, ...who, ...how], { input: sql, env });
    const { code } = await withTimeout(child.exited, { what: "PostgreSQL's answer", timeoutMs });
    if (code === 0) return child.stdout.replace(/\n$/, "");
    throw new Error(`PostgreSQL answered: ${child.stderr.trim()}`);
  }

  /** Makes a replica a primary, which it is after a restart too. */
  async promote(): Promise<void> {
    await this.ask("SELECT pg_promote(true, 20)", { superuser: true, timeoutMs: 25_000 });
    this.#primary = undefined;
  }

  /** Resolves when a replica has all that its primary had at the time of the call. */
  async untilCaughtUp(): Promise<void> {
    if (this.#primary === undefined) throw new Error("This PostgreSQL is no replica.");
    const goal = await this.#primary.ask("SELECT pg_current_wal_lsn()");
    const hasAll = async (): Promise<boolean> =>
      (await this.ask(`SELECT pg_last_wal_replay_lsn() >= '${goal}'`)) === "t";
    await until(hasAll, { what: "A replica's catching up with its primary", timeoutMs: 20_000 });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) await this.kill();
    removeSharedMemory(this.#data);
    this.#forget();
    await super[Symbol.asyncDispose]();
  }

  protected command(): ServerCommand {
    const { programs, user } = this.#home;
    const own = {
      port: String(this.port),
      listen_addresses: host,
      unix_socket_directories: this.directory,
    };
    const settings = Object.entries({ ...this.#settings, ...own });
    const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const options = { tree: true, env: { LC_ALL: "C" }, ...(user === undefined ? {} : { user }) };
    return { program: programs.postgres, args: ["-D", this.#data, ...flags], options };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/ready to accept (?:read-only )?connections/, { timeoutMs });
  }

  get #data(): string {
    return dataFolderOf(this.#home.folder);
  }
}
