/**
 * Framed TCP by hand: the least that does the work. A frame is its length, the number of its call
 * and JSON; all of a turn of the event loop is one write, and Nagle's algorithm is off.
 */

import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { PeerTls } from "@banyan/mesh";

const headBytes = 8;
const batchBytes = 65_536;

export class RawLink {
  readonly socket: Socket;
  #batch = Buffer.allocUnsafeSlow(batchBytes);
  #end = 0;
  #isDue = false;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, take: (call: number, text: string) => void) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk, take));
  }

  send(call: number, text: string): void {
    const most = headBytes + text.length * 3;
    if (most > this.#batch.length - this.#end) {
      this.#flush();
      if (most > batchBytes) this.#batch = Buffer.allocUnsafeSlow(most);
    }
    const start = this.#end;
    const bytes = this.#batch.write(text, start + headBytes, "utf8");
    this.#batch.writeUInt32LE(bytes, start);
    this.#batch.writeUInt32LE(call, start + 4);
    this.#end = start + headBytes + bytes;
    if (this.#isDue) return;
    this.#isDue = true;
    process.nextTick(() => {
      this.#isDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#end === 0) return;
    this.socket.write(this.#batch.subarray(0, this.#end));
    this.#batch = Buffer.allocUnsafeSlow(batchBytes);
    this.#end = 0;
  }

  #read(chunk: Buffer, take: (call: number, text: string) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const start = at + headBytes;
      const end = start + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      take(bytes.readUInt32LE(at + 4), bytes.toString("utf8", start, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}

/** Answers the port. */
export async function listenRaw(
  tls: PeerTls | undefined,
  accept: (socket: Socket) => void,
): Promise<number> {
  const server =
    tls === undefined
      ? createServer(accept)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, accept);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("It has no port.");
  return address.port;
}

export function connectRaw(port: number, tls: PeerTls | undefined): Socket {
  const where = { host: "127.0.0.1", port };
  return tls === undefined ? connect(where) : connectTls({ ...where, ...tls });
}
