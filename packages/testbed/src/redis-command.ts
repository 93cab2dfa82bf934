/**
 * One command to a Redis server and its answer, without a client library: for tests that look at
 * the server beside what they test. A connection per command; nothing is pooled or retried.
 */

import { once } from "node:events";
import { connect } from "node:net";
import type { NetConnectOpts } from "node:net";
import { connect as connectSecurely } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { withTimeout } from "./with-timeout.ts";

/** What Redis answers: text, a number, nothing, or a list of these. */
export type RedisAnswer = string | number | null | readonly RedisAnswer[];

/** Where a Redis is, and how it is sure of whom it talks to. */
export type RedisPlace = NetConnectOpts & {
  /** Speak TLS, with these options of `tls.connect`. Default: plain. */
  readonly tls?: ConnectionOptions;
};

/** Sends one command, such as `["SET", "name", "Ada"]`. Rejects with the server's own error. */
export async function askRedis(
  { tls, ...address }: RedisPlace,
  words: readonly string[],
  timeoutMs = 10_000,
): Promise<RedisAnswer> {
  const socket = tls === undefined ? connect(address) : connectSecurely({ ...address, ...tls });
  const answer = async (): Promise<RedisAnswer> => {
    await once(socket, tls === undefined ? "connect" : "secureConnect");
    socket.write(encodeCommand(words));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      // No encoding is set, so the stream gives buffers.
      received = Buffer.concat([received, chunk as Buffer]);
      const read = readAnswer(received, 0);
      if (read !== undefined) return read.answer;
    }
    throw new Error(`Redis closed the connection before it answered ${words[0] ?? ""}.`);
  };
  try {
    return await withTimeout(answer(), { what: `Redis's answer to ${words[0] ?? ""}`, timeoutMs });
  } finally {
    // An answer that comes too late, and a connection that ends badly, are nobody's any more.
    socket.on("error", () => undefined).destroy();
  }
}

function encodeCommand(words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

interface ReadAnswer {
  readonly answer: RedisAnswer;
  /** Where the next answer would begin. */
  readonly end: number;
}

/** The answer that begins at `from`, or `undefined` while it is not all there. RESP 2. */
function readAnswer(bytes: Buffer, from: number): ReadAnswer | undefined {
  const lineEnd = bytes.indexOf("\r\n", from);
  if (lineEnd === -1) return undefined;
  const head = bytes.toString("utf8", from + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[from] ?? 0)) {
    case "+":
      return { answer: head, end };
    case "-":
      throw new Error(`Redis answered: ${head}`);
    case ":":
      return { answer: Number(head), end };
    case "$":
      return readText(bytes, end, Number(head));
    case "*":
      return readList(bytes, end, Number(head));
    default:
      throw new Error(`Redis answered what is no RESP: ${bytes.toString("utf8", from, end)}`);
  }
}

function readText(bytes: Buffer, from: number, size: number): ReadAnswer | undefined {
  if (size < 0) return { answer: null, end: from };
  const end = from + size + 2;
  if (bytes.length < end) return undefined;
  return { answer: bytes.toString("utf8", from, from + size), end };
}

function readList(bytes: Buffer, from: number, count: number): ReadAnswer | undefined {
  if (count < 0) return { answer: null, end: from };
  const answers: RedisAnswer[] = [];
  let end = from;
  for (let index = 0; index < count; index += 1) {
    const item = readAnswer(bytes, end);
    if (item === undefined) return undefined;
    answers.push(item.answer);
    end = item.end;
  }
  return { answer: answers, end };
}
