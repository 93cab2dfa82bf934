/**
 * A real NATS for one test, on a port of loopback; its life is that of every server of a test (S1
 * to S3 of server-process). It keeps nothing: no JetStream, and its folder stays empty.
 */

import type { Child } from "./child.ts";
import { ensurePrograms } from "./required-programs.ts";
import type { RequiredPrograms } from "./required-programs.ts";
import { ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export const natsPrograms: RequiredPrograms<"nats-server"> = {
  what: "NATS 2.9 or newer",
  programs: ["nats-server"],
  packages: ["nats-server"],
  elsewhere: "On macOS: brew install nats-server.",
};

const host = "127.0.0.1";

/**
 * Starts a NATS and waits until it is ready. Rejects when there is no `nats-server` and none can be
 * installed; the message says what to do.
 */
export async function openNats({ startTimeoutMs }: ServerOptions = {}): Promise<NatsServer> {
  const { "nats-server": program } = await ensurePrograms(natsPrograms);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory("nats"));
  const parts = {
    what: "NATS",
    folder,
    program,
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
  };
  const server = await startOnFreePort((port) => new NatsServer({ ...parts, port }));
  stack.move(); // the server removes its folder
  return server;
}

interface NatsParts extends ServerParts {
  readonly program: string;
  readonly port: number;
}

/** A NATS that runs; `openNats` makes it. */
export class NatsServer extends ServerProcess {
  readonly port: number;
  readonly #program: string;

  /** Use `openNats`. */
  constructor(parts: NatsParts) {
    super(parts);
    this.port = parts.port;
    this.#program = parts.program;
  }

  /** `nats://127.0.0.1:49152`. */
  get url(): string {
    return `nats://${host}:${this.port}`;
  }

  protected command(): ServerCommand {
    return { program: this.#program, args: ["--addr", host, "--port", String(this.port)] };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    await child.waitForLine(/server is ready/i, { timeoutMs });
  }
}
