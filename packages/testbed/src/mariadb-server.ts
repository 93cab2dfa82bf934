/**
 * A real MariaDB for one test: its own data, its own port, nobody else's process. Its life is that
 * of every server of a test (S1 to S3 of server-process). It runs as an unprivileged user, for it
 * refuses to run as root.
 */

import { spawnProgram } from "./child.ts";
import type { Child } from "./child.ts";
import { databaseName, databasePassword, databaseUser } from "./database-user.ts";
import { dataFolderOf, makeData, mariadbPrograms, storageFlags } from "./mariadb-data.ts";
import type { MariadbHome } from "./mariadb-data.ts";
import { ensurePrograms } from "./required-programs.ts";
import { assertNotOwn, ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { copyServerTls } from "./server-tls.ts";
import { directoryOf, findServerUser } from "./server-user.ts";
import type { ServerTls } from "./test-certificates.ts";
import { withTimeout } from "./with-timeout.ts";

export interface MariadbOptions extends ServerOptions {
  /**
   * Options of `mariadbd`, such as `{ "max-connections": "20" }`; an empty text is the bare option.
   * What is not named is as MariaDB ships it, but for utf8mb4 and less memory.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Speak TLS on the port, and refuse whoever does not. `TestCertificates` fit. */
  readonly tls?: ServerTls;
}

export interface MariadbAsk {
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
}

type Settings = Readonly<Record<string, string>>;

/** Options that make the server a private one; they are not for the caller to set. */
const ownSettings = [
  "basedir",
  "bind-address",
  "datadir",
  "defaults-file",
  "no-defaults",
  "pid-file",
  "port",
  "require-secure-transport",
  "socket",
  "ssl-ca",
  "ssl-cert",
  "ssl-key",
  "user",
];
const host = "127.0.0.1";

/**
 * Starts a MariaDB and waits until it is ready. Rejects when there is none and none can be
 * installed; the message says what to do.
 */
export async function openMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const { config = {}, tls, startTimeoutMs } = options;
  assertNotOwn(config, ownSettings);
  const programs = await ensurePrograms(mariadbPrograms);
  const user = await findServerUser(["mysql", "nobody"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await directoryOf(user, "mariadb"));
  const home = { programs, folder, user };
  await makeData(home);
  const settings = { ...storageFlags, ...config, ...(tls && (await tlsSettings(home, tls))) };
  const server = await startOnFreePort((port) => {
    return new MariadbServer({
      what: "MariaDB",
      folder,
      home,
      settings,
      port,
      ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    });
  });
  stack.use(server);
  if (tls?.requireClientCertificate === true) {
    await server.ask(`ALTER USER ${databaseUser}@'%' REQUIRE X509`);
  }
  stack.move(); // whoever asked ends the server, which removes its folder
  return server;
}

interface MariadbParts extends ServerParts {
  readonly home: MariadbHome;
  readonly settings: Settings;
  readonly port: number;
}

/** A MariaDB that runs; `openMariadb` makes it. */
export class MariadbServer extends ServerProcess {
  readonly host = host;
  readonly port: number;
  readonly user = databaseUser;
  readonly password = databasePassword;
  readonly database = databaseName;
  readonly #home: MariadbHome;
  readonly #settings: Settings;

  /** Use `openMariadb`. */
  constructor(parts: MariadbParts) {
    super(parts);
    this.port = parts.port;
    this.#home = parts.home;
    this.#settings = parts.settings;
  }

  /**
   * For clients: `mysql://banyan:banyan@127.0.0.1:49152/banyan`. The user may do all in this
   * database, and make others whose names begin with `banyan`.
   */
  get url(): string {
    const { user, password, port, database } = this;
    return `mysql://${user}:${password}@${host}:${port}/${database}`;
  }

  /**
   * What `mariadb` prints to statements that come by the socket, as root in the clients' database:
   * a line for each row, tabs between columns, `NULL` for null. Rejects with MariaDB's own words.
   */
  async ask(sql: string, { timeoutMs = 10_000 }: MariadbAsk = {}): Promise<string> {
    const where = ["--no-defaults", `--socket=${this.#socketPath}`, databaseName];
    const how = [
      "--user=root",
      "--batch",
      "--skip-column-names",
      "--default-character-set=utf8mb4",
    ];
    const { mariadb } = this.#home.programs;
    await using child = spawnProgram(mariadb, [...where, ...how], { input: sql });
    const { code } = await withTimeout(child.exited, { what: "MariaDB's answer", timeoutMs });
    if (code === 0) return child.stdout.replace(/\n$/, "");
    throw new Error(`MariaDB answered: ${child.stderr.trim()}`);
  }

  protected command(): ServerCommand {
    const { programs, user, folder } = this.#home;
    const own = {
      datadir: dataFolderOf(folder),
      socket: this.#socketPath,
      port: String(this.port),
      "bind-address": host,
      "pid-file": folder.join("mariadb.pid"),
      "skip-name-resolve": "",
    };
    const settings = Object.entries({ ...this.#settings, ...own });
    const flags = settings.map(([name, value]) =>
      value === "" ? `--${name}` : `--${name}=${value}`,
    );
    const options = user === undefined ? {} : { user };
    return { program: programs.mariadbd, args: ["--no-defaults", ...flags], options };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/ready for connections/, { timeoutMs });
  }

  get #socketPath(): string {
    return this.#home.folder.join("mariadb.sock");
  }
}

async function tlsSettings({ folder, user }: MariadbHome, tls: ServerTls): Promise<Settings> {
  const { ca, certificate, key } = await copyServerTls(tls, folder, user);
  const files = { "ssl-ca": ca, "ssl-cert": certificate, "ssl-key": key };
  return { ...files, "require-secure-transport": "ON" };
}
