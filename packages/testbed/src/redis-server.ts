/**
 * A real Redis for one test: its own process, its own folder, nobody else's port.
 *
 * What it owns: one `redis-server` at a time, started again on the same folder and address; the
 * folder goes with it.
 * What may interrupt it: the server's own end, at any moment.
 *
 * R1. When `start` resolves, the server has loaded its data and takes commands.
 * R2. After `kill` nothing of it runs, not even a child that was writing a file for it.
 * R3. After disposal, or after the end of the test process, neither process nor folder is left.
 */

import type { NetConnectOpts } from "node:net";
import { spawnProgram } from "./child.ts";
import type { Child, ChildExit } from "./child.ts";
import { freePort } from "./free-port.ts";
import { askRedis } from "./redis-command.ts";
import type { RedisAnswer } from "./redis-command.ts";
import { ensureRedisProgram } from "./redis-program.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import { withTimeout } from "./with-timeout.ts";

export interface RedisServerOptions {
  /**
   * Directives of `redis.conf`, such as `{ appendonly: "yes", appendfsync: "always" }`. What is not
   * named is as Redis ships it: snapshots now and then, no append-only file.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Where it listens. Default `socket`: a Unix socket in its folder, which nobody can take. */
  readonly listen?: "socket" | "tcp";
  /** How long a start may take, loading of its data included. Default 20 000 ms. */
  readonly startTimeoutMs?: number;
}

/** How a client reaches it: fits `net.connect` and the options of the usual Redis clients. */
export type RedisAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** Directives that make the server a private one; they are not for the caller to set. */
const ownDirectives = ["bind", "daemonize", "dir", "logfile", "pidfile", "port", "unixsocket"];
const STOP_PATIENCE_MS = 20_000;
/** Between finding a free port and listening on it, somebody else may take it. */
const PORT_ATTEMPTS = 5;

/**
 * Starts a Redis and waits until it is ready. Rejects when there is no `redis-server` and none can
 * be installed; the message says what to do.
 */
export async function openRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { config = {}, listen = "socket", startTimeoutMs = 20_000 } = options;
  for (const name of ownDirectives) {
    if (Object.hasOwn(config, name)) {
      throw new Error(`The directive "${name}" is the testbed's own; leave it out of \`config\`.`);
    }
  }
  const program = await ensureRedisProgram();
  const folder = await temporaryDirectory("redis");
  try {
    for (let attempt = 1; ; attempt += 1) {
      const address: RedisAddress =
        listen === "socket"
          ? { path: folder.join("redis.sock") }
          : { host: "127.0.0.1", port: await freePort() };
      const server = new RedisServer({ program, folder, address, config, startTimeoutMs });
      try {
        await server.start();
        return server;
      } catch (error) {
        const isTaken = /Address already in use/.test(String(error));
        if (!isTaken || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

interface RedisServerParts {
  readonly program: string;
  readonly folder: TemporaryDirectory;
  readonly address: RedisAddress;
  readonly config: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
}

export class RedisServer implements AsyncDisposable {
  readonly address: RedisAddress;
  /** Where it keeps its files. */
  readonly directory: string;
  readonly #parts: RedisServerParts;
  #child: Child | undefined;

  /** Use `openRedisServer`. */
  constructor(parts: RedisServerParts) {
    this.#parts = parts;
    this.address = parts.address;
    this.directory = parts.folder.path;
  }

  /** For clients that take one: `redis://127.0.0.1:49152` or `unix:///…/redis.sock`. */
  get url(): string {
    const { address } = this;
    return "path" in address ? `unix://${address.path}` : `redis://${address.host}:${address.port}`;
  }

  /** Of the process that runs; a restart makes another one. @throws Error while it is down */
  get pid(): number {
    return this.#running().pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exit === undefined;
  }

  /** What the process that runs, or ran last, has printed: Redis's log. */
  get output(): string {
    return this.#child?.stdout ?? "";
  }

  /** Starts it on the same address and folder, with the data that is there (R1). */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error(`Redis runs already, as process ${this.pid}.`);
    await this.#child?.[Symbol.asyncDispose]();
    const child = spawnProgram(this.#parts.program, this.#arguments(), { cwd: this.directory });
    this.#child = child;
    try {
      const { startTimeoutMs: timeoutMs } = this.#parts;
      await child.waitForLine(/ready to accept connections/i, { timeoutMs });
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends it politely: it writes what its configuration says, then goes. */
  async stop(): Promise<ChildExit> {
    const child = this.#running();
    // A frozen process hears no signal but the last one.
    child.resume();
    child.signal("SIGTERM");
    const timeoutMs = STOP_PATIENCE_MS;
    return await withTimeout(child.exited, { what: "The end of Redis", timeoutMs });
  }

  /** Ends it as a power cut ends the processes of a machine (R2). */
  async kill(): Promise<ChildExit> {
    return await this.#running().kill({ group: true });
  }

  /** Stops it politely, or kills it, and starts it again. */
  async restart({ kill = false }: { readonly kill?: boolean } = {}): Promise<void> {
    if (this.isRunning) await (kill ? this.kill() : this.stop());
    await this.start();
  }

  /** Freezes it: it answers nothing, and its connections stay open. */
  pause(): void {
    this.#running().pause();
  }

  resume(): void {
    this.#running().resume();
  }

  /** One command on a connection of its own: `await redis.ask("GET", "name")`. */
  ask(...words: readonly string[]): Promise<RedisAnswer> {
    const address: NetConnectOpts = this.address;
    return askRedis(address, words);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await this.#parts.folder[Symbol.asyncDispose]();
  }

  #running(): Child {
    if (this.#child !== undefined && this.isRunning) return this.#child;
    throw new Error("Redis does not run; `start()` it first.");
  }

  #arguments(): string[] {
    const { address, directory } = this;
    const where: Record<string, string> =
      "path" in address
        ? { port: "0", unixsocket: address.path, unixsocketperm: "700" }
        : { port: String(address.port), bind: address.host };
    const own = { ...where, dir: directory, daemonize: "no", logfile: "" };
    const directives = { ...this.#parts.config, ...own };
    return Object.entries(directives).flatMap(([name, value]) => [`--${name}`, value]);
  }
}
