/**
 * A bad network between a client and a server of a test: a proxy on loopback, in this process,
 * whose connections are cut, held, delayed, or lose what the server answers, when the test says so.
 *
 * What it owns: one listening port, and every connection through it.
 * What may interrupt it: either end of a connection, at any moment.
 *
 * P1. After `cut` nothing of a connection is open, and a new one is refused, until `heal`.
 * P2. A request that was passed on before a `cut` reaches the server.
 * P3. The port is its own for as long as it lives: it is one that no system hands out unasked, so
 *     that nobody takes it while it is cut.
 */

import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { onFreePort } from "./free-port.ts";
import { TcpLine } from "./tcp-line.ts";
import type { LineCounts, LineFaults } from "./tcp-line.ts";

/** Where a server is. */
export type TcpTarget =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

export interface TcpProxyOptions {
  readonly to: TcpTarget;
  /** How late each byte arrives, in each direction. Default 0 ms. */
  readonly delayMs?: number;
}

const host = "127.0.0.1";

/** Starts a proxy that passes everything on. */
export async function openTcpProxy({ to, delayMs = 0 }: TcpProxyOptions): Promise<TcpProxy> {
  const { listening } = await onFreePort(async (port) => {
    const proxy = new TcpProxy({ to, delayMs, port });
    await proxy.heal();
    return proxy;
  });
  return listening;
}

/** A proxy that runs; `openTcpProxy` makes it. */
export class TcpProxy implements AsyncDisposable {
  readonly host = host;
  readonly port: number;
  /** Where new connections go; those that are open stay where they are. */
  to: TcpTarget;
  readonly #faults: LineFaults;
  readonly #counts: LineCounts = { toServer: 0, toClient: 0 };
  readonly #lines = new Set<TcpLine>();
  #listener: Server | undefined;
  #accepted = 0;

  /** Use `openTcpProxy`. */
  constructor(parts: Required<TcpProxyOptions> & { readonly port: number }) {
    this.to = parts.to;
    this.port = parts.port;
    this.#faults = { delayMs: parts.delayMs, isStalled: false, dropsReplies: false };
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#lines.size;
  }

  /** How many there ever were. */
  get accepted(): number {
    return this.#accepted;
  }

  /** How many bytes were passed on to the server. */
  get bytesToServer(): number {
    return this.#counts.toServer;
  }

  /** How many bytes were passed on to clients; those that were dropped are not among them. */
  get bytesToClient(): number {
    return this.#counts.toClient;
  }

  get delayMs(): number {
    return this.#faults.delayMs;
  }

  /** What is on its way arrives as late as it was to. */
  set delayMs(delayMs: number) {
    this.#faults.delayMs = delayMs;
  }

  /** The URL of a server, led through here: `proxy.urlOf(postgres.url)`. */
  urlOf(url: string): string {
    // Scheme, user and path stay as they are written.
    return url.replace(/^([^/]+:\/\/(?:[^@/]*@)?)[^/?#]+/, `$1${host}:${this.port}`);
  }

  /** Destroys every connection and refuses new ones (P1, P2). */
  cut(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const line of this.#lines) line.reset();
    this.#lines.clear();
  }

  /**
   * Ends every fault but the delay: connections are accepted and everything passes. Those that lost
   * replies are reset, for a client must not take a later answer for the one it waits for.
   */
  async heal(): Promise<void> {
    this.passReplies();
    this.resume();
    if (this.#listener !== undefined) return;
    const listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    this.#listener = listener;
    try {
      await once(listener.listen(this.port, host), "listening");
    } catch (error) {
      this.#listener = undefined;
      throw error;
    }
  }

  /** From now on the server gets requests, and what it answers is swallowed. */
  dropReplies(): void {
    this.#faults.dropsReplies = true;
  }

  /** Ends that; connections that lost something are reset. */
  passReplies(): void {
    this.#faults.dropsReplies = false;
    this.#wake();
  }

  /** Holds every byte, both ways. New connections are accepted, and held too. */
  stall(): void {
    this.#faults.isStalled = true;
    this.#wake();
  }

  /** Lets go what was held. */
  resume(): void {
    this.#faults.isStalled = false;
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const listener = this.#listener;
    this.cut();
    if (listener !== undefined) await once(listener, "close");
  }

  #wake(): void {
    for (const line of this.#lines) line.wake();
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    const { to } = this;
    const target = "path" in to ? { path: to.path } : { host: to.host, port: to.port };
    const server = connect({ ...target, allowHalfOpen: true });
    const parts = { client, server, faults: this.#faults, counts: this.#counts };
    const line = new TcpLine(parts);
    this.#lines.add(line);
    client.once("close", () => this.#lines.delete(line));
  }
}
