/**
 * What every real server of a test has in common: its own process, its own folder, nobody else's
 * port, and a life that the test decides.
 *
 * What it owns: one process at a time, started again on the same folder and address; the folder
 * goes with it.
 * What may interrupt it: the server's own end, at any moment.
 *
 * S1. When `start` resolves, the server has loaded its data and answers.
 * S2. After `kill` nothing of it runs, not even a process that was writing a file for it.
 * S3. After disposal, or after the end of the test process, neither process nor folder is left.
 * S4. One that a failed test left running does not keep the test process from its end.
 */

import { spawnProgram } from "./child.ts";
import type { Child, ChildExit, ChildOptions } from "./child.ts";
import { findFreePorts } from "./free-port.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import { withTimeout } from "./with-timeout.ts";

/** One way to start a server. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly options?: ChildOptions;
}

export interface ServerParts {
  /** Its name in errors: `Redis`. */
  readonly what: string;
  readonly folder: TemporaryDirectory;
  /** What `stop` sends. Default `SIGTERM`. */
  readonly stopSignal?: NodeJS.Signals;
  /** How long a start may take, loading of its data included. Default 20 000 ms. */
  readonly startTimeoutMs?: number;
}

/** What all servers' options share. */
export interface ServerOptions {
  /** How long a start may take, loading of its data included. Default 20 000 ms. */
  readonly startTimeoutMs?: number;
}

const START_PATIENCE_MS = 20_000;
const STOP_PATIENCE_MS = 20_000;
/** Between finding a free port and listening on it, somebody else may take it. */
const PORT_ATTEMPTS = 5;

/** The common part of the servers; each adds how it is started and how it is asked. */
export abstract class ServerProcess implements AsyncDisposable {
  /** Where it keeps its files. */
  readonly directory: string;
  readonly #parts: ServerParts;
  #child: Child | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.directory = parts.folder.path;
  }

  /** Of the process that runs; a restart makes another one. @throws Error while it is down */
  get pid(): number {
    return this.#running().pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exit === undefined;
  }

  /** What the process that runs, or ran last, has printed: the server's log. */
  get output(): string {
    const lines = this.#child?.lines ?? [];
    return lines.map(({ text }) => `${text}\n`).join("");
  }

  /** Starts it on the same address and folder, with the data that is there (S1). */
  async start(): Promise<void> {
    const { what, startTimeoutMs: timeoutMs = START_PATIENCE_MS } = this.#parts;
    if (this.isRunning) throw new Error(`${what} runs already, as process ${this.pid}.`);
    await this.#child?.[Symbol.asyncDispose]();
    const { program, args, options } = this.command();
    const child = spawnProgram(program, args, { cwd: this.directory, ...options });
    this.#child = child;
    try {
      await this.untilReady(child, timeoutMs);
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
    child.letGo();
  }

  /** Ends it politely: it writes what its configuration says, then goes. */
  async stop(): Promise<ChildExit> {
    const { what, stopSignal = "SIGTERM" } = this.#parts;
    const child = this.#running();
    child.hold();
    // A frozen process hears no signal but the last one.
    child.resume({ group: true });
    child.signal(stopSignal);
    const timeoutMs = STOP_PATIENCE_MS;
    return await withTimeout(child.exited, { what: `The end of ${what}`, timeoutMs });
  }

  /** Ends it as a power cut ends the processes of a machine (S2). */
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
    this.#running().pause({ group: true });
  }

  resume(): void {
    this.#running().resume({ group: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await this.#parts.folder[Symbol.asyncDispose]();
  }

  /** How it is started, now. */
  protected abstract command(): ServerCommand;

  /** Resolves when the process that was just started answers (S1). */
  protected abstract untilReady(child: Child, timeoutMs: number): Promise<void>;

  #running(): Child {
    if (this.#child !== undefined && this.isRunning) return this.#child;
    throw new Error(`${this.#parts.what} does not run; \`start()\` it first.`);
  }
}

/**
 * Makes a server on a free port and starts it; on another one when somebody took it meanwhile. The
 * spare port is for what listens on two.
 */
export async function startOnFreePort<Server extends ServerProcess>(
  make: (port: number, sparePort: number) => Server,
): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const [port = 0, sparePort = 0] = await findFreePorts(2);
    const server = make(port, sparePort);
    try {
      await server.start();
      return server;
    } catch (error) {
      const isTaken = /address already in use/i.test(`${String(error)}${server.output}`);
      if (!isTaken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** Refuses settings that make a server a private one: those are the testbed's. */
export function assertNotOwn(
  config: Readonly<Record<string, string>>,
  own: readonly string[],
): void {
  const plain = (name: string): string => name.toLowerCase().replaceAll("-", "_");
  const names = new Set(own.map(plain));
  for (const name of Object.keys(config)) {
    if (!names.has(plain(name))) continue;
    throw new Error(`The directive "${name}" is the testbed's own; leave it out of \`config\`.`);
  }
}
