/**
 * A real Redis for one test: its own process, its own folder, nobody else's port. Its life is that
 * of every server of a test (S1 to S3 of server-process).
 *
 * What may interrupt a replica besides: its primary's end; it keeps what it has and tries again.
 */

import type { Child } from "./child.ts";
import { askRedis } from "./redis-command.ts";
import type { RedisAnswer } from "./redis-command.ts";
import { ensureRedisProgram } from "./redis-program.ts";
import { assertNotOwn, ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { ServerTls } from "./test-certificates.ts";
import { until } from "./until.ts";

export interface RedisServerOptions extends ServerOptions {
  /**
   * Directives of `redis.conf`, such as `{ appendonly: "yes", appendfsync: "always" }`. What is not
   * named is as Redis ships it: snapshots now and then, no append-only file.
   */
  readonly config?: Readonly<Record<string, string>>;
  /**
   * Where clients find it. Default `socket`: a Unix socket in its folder, which nobody can take;
   * with `tls`, and as a member of a cluster, `tcp`.
   */
  readonly listen?: "socket" | "tcp";
  /** Speak TLS on the port, and nothing else. `TestCertificates` fit. */
  readonly tls?: ServerTls;
  /** Follow this one, which must listen on `tcp`, until promoted. */
  readonly replicaOf?: RedisServer;
  /** Be a member of a Redis Cluster that somebody else puts together. Default false. */
  readonly cluster?: boolean;
}

/** How a client reaches it: fits `net.connect` and the options of the usual Redis clients. */
export type RedisAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

type Directives = Readonly<Record<string, string>>;

/** Directives that make the server a private one; they are not for the caller to set. */
const ownDirectives = [
  "bind",
  "daemonize",
  "dir",
  "logfile",
  "pidfile",
  "port",
  "unixsocket",
  "tls-port",
  "replicaof",
  "cluster-enabled",
  "cluster-port",
];

/**
 * Starts a Redis and waits until it is ready; a replica, until it follows. Rejects when there is no
 * `redis-server` and none can be installed; the message says what to do.
 */
export async function openRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { config = {}, tls, replicaOf, cluster = false, startTimeoutMs } = options;
  const { listen = tls === undefined && !cluster ? "socket" : "tcp" } = options;
  assertNotOwn(config, ownDirectives);
  if (listen === "socket" && tls !== undefined) throw new Error("Redis speaks TLS on TCP only.");
  const program = await ensureRedisProgram();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory("redis"));
  // A replica is served at once: no test waits for more of them to come.
  const defaults = { "repl-diskless-sync-delay": "0" };
  const directives = { ...defaults, ...config, ...(tls && tlsDirectives(tls)) };
  const server = await startOnFreePort((port, busPort) => {
    return new RedisServer({
      what: "Redis",
      folder,
      program,
      directives: { ...directives, ...(cluster && clusterDirectives(busPort)) },
      address: listen === "socket" ? { path: folder.join("redis.sock") } : { host, port },
      tls,
      replicaOf,
      ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    });
  });
  stack.use(server);
  if (replicaOf !== undefined) await server.untilCaughtUp();
  stack.move(); // whoever asked ends the server, which removes its folder
  return server;
}

const host = "127.0.0.1";

interface RedisServerParts extends ServerParts {
  readonly program: string;
  readonly directives: Directives;
  readonly address: RedisAddress;
  readonly tls: ServerTls | undefined;
  readonly replicaOf: RedisServer | undefined;
}

/** A Redis that runs; `openRedisServer` makes it. */
export class RedisServer extends ServerProcess {
  readonly address: RedisAddress;
  readonly #parts: RedisServerParts;
  /** `ask` comes in here, whatever the clients' door asks for. */
  readonly #socketPath: string;
  #primary: RedisServer | undefined;

  /** Use `openRedisServer`. */
  constructor(parts: RedisServerParts) {
    super(parts);
    this.#parts = parts;
    this.#primary = parts.replicaOf;
    this.address = parts.address;
    this.#socketPath = parts.folder.join("redis.sock");
  }

  /** For clients: `redis://127.0.0.1:49152`, `rediss://…` with TLS, or `unix:///…/redis.sock`. */
  get url(): string {
    const { address } = this;
    if ("path" in address) return `unix://${address.path}`;
    const scheme = this.isSecure ? "rediss" : "redis";
    return `${scheme}://${address.host}:${address.port}`;
  }

  /** Whether clients speak TLS with it. */
  get isSecure(): boolean {
    return this.#parts.tls !== undefined;
  }

  /** Where its cluster's members talk to each other; 0 when it is in none. */
  get busPort(): number {
    return Number(this.#parts.directives["cluster-port"] ?? 0);
  }

  /** One command on a connection of its own: `await redis.ask("GET", "name")`. */
  ask(...words: readonly string[]): Promise<RedisAnswer> {
    return askRedis({ path: this.#socketPath }, words);
  }

  /** Makes a replica a primary, which it is after a restart too. */
  async promote(): Promise<void> {
    await this.ask("REPLICAOF", "NO", "ONE");
    this.#primary = undefined;
  }

  /** Resolves when a replica has all that its primary had at the time of the call. */
  async untilCaughtUp(): Promise<void> {
    const primary = this.#primary;
    if (primary === undefined) throw new Error("This Redis is no replica.");
    const goal = Number((await readReplication(primary)).get("master_repl_offset"));
    const hasAll = async (): Promise<boolean> => {
      const seen = await readReplication(this);
      if (seen.get("master_link_status") !== "up") return false;
      return Number(seen.get("slave_repl_offset")) >= goal;
    };
    await until(hasAll, { what: "A replica's catching up with its primary", timeoutMs: 20_000 });
  }

  protected command(): ServerCommand {
    const { program, directives } = this.#parts;
    const own = { dir: this.directory, daemonize: "no", logfile: "" };
    const all = { ...directives, ...this.#doors(), ...this.#following(), ...own };
    const args = Object.entries(all).flatMap(([name, value]) => [
      `--${name}`,
      ...(name === "replicaof" ? value.split(" ") : [value]),
    ]);
    return { program, args };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/ready to accept connections/i, { timeoutMs });
  }

  #doors(): Directives {
    const { address, isSecure } = this;
    const socket = { unixsocket: this.#socketPath, unixsocketperm: "700" };
    if ("path" in address) return { port: "0", ...socket };
    const port = String(address.port);
    const ports: Directives = isSecure ? { port: "0", "tls-port": port } : { port };
    return { ...ports, bind: address.host, ...socket };
  }

  #following(): Directives {
    if (this.#primary === undefined) return {};
    const { address, isSecure } = this.#primary;
    if ("path" in address) throw new Error('The primary of a replica must `listen: "tcp"`.');
    if (isSecure && !this.isSecure) throw new Error("A replica of a TLS primary needs `tls` too.");
    const replicaof = `${address.host} ${address.port}`;
    return { replicaof, ...(isSecure ? { "tls-replication": "yes" } : {}) };
  }
}

function tlsDirectives({ ca, server, requireClientCertificate = false }: ServerTls): Directives {
  return {
    "tls-ca-cert-file": ca,
    "tls-cert-file": server.certificate,
    "tls-key-file": server.key,
    "tls-auth-clients": requireClientCertificate ? "yes" : "no",
  };
}

function clusterDirectives(busPort: number): Directives {
  return {
    "cluster-enabled": "yes",
    "cluster-port": String(busPort), // Redis's own choice may lie beyond the last port
    "cluster-announce-ip": host,
  };
}

async function readReplication(redis: RedisServer): Promise<ReadonlyMap<string, string>> {
  const text = String(await redis.ask("INFO", "replication"));
  return new Map(
    text.split("\r\n").map((line) => {
      const [name = "", value = ""] = line.split(":");
      return [name, value];
    }),
  );
}
