/**
 * A hostile HTTP client: writes any bytes on a bare socket and reads what comes back. For what a
 * decent client cannot be made to send.
 *
 * What it owns: one socket, destroyed at the end of the scope.
 */

import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { withTimeout } from "./with-timeout.ts";

/** One answer, read to its end. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case name; repeated ones joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class RawHttp implements Disposable {
  readonly #socket: Socket;
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>;
  #received = "";
  #isClosed = false;
  #onChange = (): void => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#isClosed = true;
        this.#onChange();
        resolve();
      });
    });
    // A reset is one way for a server to close; tests look at `closed`.
    socket.on("error", () => undefined);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#received += text;
      this.#onChange();
    });
  }

  /** Connects to the host and port of a URL. */
  static async open(url: string | undefined): Promise<RawHttp> {
    assert(url !== undefined, "There is no URL: the node serves no HTTP.");
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RawHttp(socket);
  }

  /** Everything received and not yet taken by `answer`. */
  get received(): string {
    return this.#received;
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends a whole request with a right `Host`. */
  request(head: string, body = ""): void {
    this.send(`${head}\r\nHost: localhost\r\n${body === "" ? "\r\n" : body}`);
  }

  /** Stops reading, so that the server's writes pile up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next answer, in order. */
  async answer(): Promise<RawAnswer> {
    return withTimeout(this.#nextAnswer(), { what: "An answer to a raw request" });
  }

  /** Waits until this text was received. */
  async until(text: string): Promise<string> {
    const found = this.#when(() => (this.#received.includes(text) ? this.#received : undefined));
    return withTimeout(found, { what: `Receiving ${JSON.stringify(text)}` });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #nextAnswer(): Promise<RawAnswer> {
    const [answer, rest] = await this.#when(() => parseAnswer(this.#received, this.#isClosed));
    this.#received = rest;
    return answer;
  }

  #when<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onChange = () => {
        const found = find();
        if (found !== undefined) resolve(found);
        else if (this.#isClosed)
          reject(new Error(`The connection was closed after: ${this.#received}`));
      };
      this.#onChange();
    });
  }
}

function parseAnswer(text: string, isClosed: boolean): [RawAnswer, string] | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [first = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const after = text.slice(headEnd + 4);
  if (status === 100) return parseAnswer(after, isClosed);
  const length = headers.get("content-length");
  if (length !== undefined) {
    const size = Number(length);
    return after.length < size
      ? undefined
      : [{ status, headers, body: after.slice(0, size) }, after.slice(size)];
  }
  if (headers.get("transfer-encoding") === "chunked") {
    const end = after.indexOf("0\r\n\r\n");
    return end === -1
      ? undefined
      : [{ status, headers, body: after.slice(0, end) }, after.slice(end + 5)];
  }
  if (status === 204 || status === 304) return [{ status, headers, body: "" }, after];
  return isClosed ? [{ status, headers, body: after }, ""] : undefined;
}
