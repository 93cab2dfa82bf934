/**
 * One connection through a proxy: a client's socket, a server's socket, and what goes each way,
 * late or held or lost as the faults of the moment say.
 *
 * What it owns: the two sockets, and a timer for each way while something is on it.
 * What may interrupt it: the end of either socket; a change of the faults, told by `wake`.
 *
 * L1. What arrives, arrives in order and whole: after a reply was dropped no later one is passed
 *     on. The connection is reset instead, as soon as replies pass again.
 * L2. What waits here is bounded; beyond that the sender is not read from.
 */

import type { Socket } from "node:net";

/** What is wrong with the network, now; changed by the proxy. */
export interface LineFaults {
  delayMs: number;
  /** Bytes are held, both ways. */
  isStalled: boolean;
  /** Bytes of the server are swallowed. */
  dropsReplies: boolean;
}

/** How many bytes were passed on. */
export interface LineCounts {
  toServer: number;
  toClient: number;
}

export interface LineParts {
  readonly client: Socket;
  readonly server: Socket;
  readonly faults: Readonly<LineFaults>;
  readonly counts: LineCounts;
}

interface Parcel {
  /** Nothing: the sender has ended its side. */
  readonly bytes: Buffer | undefined;
  readonly dueAt: number;
}

const WAITING_BYTES_MAX = 1024 * 1024;

export class TcpLine {
  readonly #parts: LineParts;
  readonly #ways: readonly Way[];

  constructor(parts: LineParts) {
    this.#parts = parts;
    const { client, server } = parts;
    this.#ways = [
      new Way(parts, { from: client, to: server, name: "toServer" }),
      new Way(parts, { from: server, to: client, name: "toClient" }),
    ];
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // How a socket failed does not matter: both ends learn that the connection is gone.
      socket.on("error", () => this.reset());
      socket.on("close", () => this.#endWhenOver());
    }
  }

  /** The faults have changed. */
  wake(): void {
    const { faults } = this.#parts;
    const hasHole = this.#ways.some((way) => way.hasHole);
    if (hasHole && !faults.dropsReplies) this.reset(); // L1
    for (const way of this.#ways) way.move();
  }

  /** Ends it at once: the client is reset; the server still reads what it was sent. */
  reset(): void {
    const { client, server } = this.#parts;
    for (const way of this.#ways) way.end();
    if (!client.destroyed) client.resetAndDestroy();
    server.destroy();
  }

  #endWhenOver(): void {
    const { client, server } = this.#parts;
    if (client.destroyed && server.destroyed) for (const way of this.#ways) way.end();
  }
}

interface WayEnds {
  readonly from: Socket;
  readonly to: Socket;
  readonly name: keyof LineCounts;
}

class Way {
  /** Something of it was dropped (L1). */
  hasHole = false;
  readonly #parts: LineParts;
  readonly #ends: WayEnds;
  #waiting: Parcel[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LineParts, ends: WayEnds) {
    this.#parts = parts;
    this.#ends = ends;
    ends.from.on("data", (bytes: Buffer) => this.#take(bytes));
    ends.from.on("end", () => this.#take(undefined));
    this.#readOrWait();
  }

  /** Passes on what is due. */
  move(): void {
    clearTimeout(this.#timer);
    while (!this.#parts.faults.isStalled) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const leftMs = next.dueAt - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.move(), leftMs);
        break;
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.bytes?.length ?? 0;
      this.#pass(next.bytes);
    }
    this.#readOrWait();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #take(bytes: Buffer | undefined): void {
    const { delayMs } = this.#parts.faults;
    // A delay that has become shorter lets nothing overtake what waits already.
    const earliest = this.#waiting.at(-1)?.dueAt ?? 0;
    this.#waiting.push({ bytes, dueAt: Math.max(performance.now() + delayMs, earliest) });
    this.#waitingBytes += bytes?.length ?? 0;
    this.move();
  }

  #pass(bytes: Buffer | undefined): void {
    const { to, name } = this.#ends;
    if (name === "toClient" && this.#parts.faults.dropsReplies) {
      this.hasHole = true;
      return;
    }
    if (to.destroyed || to.writableEnded) return;
    if (bytes === undefined) {
      to.end();
      return;
    }
    this.#parts.counts[name] += bytes.length;
    to.write(bytes, () => this.#readOrWait());
  }

  #readOrWait(): void {
    const { from, to } = this.#ends;
    const waits = this.#waitingBytes + to.writableLength > WAITING_BYTES_MAX; // L2
    if (waits || this.#parts.faults.isStalled) from.pause();
    else from.resume();
  }
}
