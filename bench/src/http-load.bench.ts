/**
 * Subject: the load. Keep-alive connections, one request at a time on each, from a process of its
 * own. Argument: what is sent, `echo` or `greet`.
 *
 * On two cores the load competes with the server, so it is as light as JavaScript allows: buffers
 * that are made once, and answers that are only counted and checked for their status and length. A
 * general client costs two to three times as much per request.
 */

import { connect } from "node:net";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { greetBodies } from "./embedded/greet.contract.ts";
import { numberOf } from "./rates.ts";
import { serveMeasures } from "./subject.ts";
import type { Figures, Question } from "./subject.ts";
import { payloadSent } from "./trunk/echo.contract.ts";

const [what = "echo"] = process.argv.slice(2);
const bodies = (what === "greet" ? greetBodies() : [payloadSent]).map((body) =>
  JSON.stringify(body),
);
const requests = new Map<string, readonly Buffer[]>();
/** Requests sent so far, over all rounds: each round goes on where the last one ended. */
let sent = 0;

serveMeasures({ load });

async function load(question: Question): Promise<Figures> {
  const url = new URL(String(question["url"]));
  const round = new LoadRound(requestsTo(url), numberOf(question, "durationMs"));
  const before = performance.eventLoopUtilization();
  const connections = Array.from({ length: numberOf(question, "connections") }, () =>
    connect({ host: url.hostname, port: Number(url.port), noDelay: true }),
  );
  try {
    await Promise.all(connections.map((socket) => round.drive(socket)));
  } finally {
    for (const socket of connections) socket.destroy();
  }
  const { utilization } = performance.eventLoopUtilization(before);
  return { ...round.figures(), loadBusy: utilization };
}

/** The requests to one server, made at its first round. */
function requestsTo(url: URL): readonly Buffer[] {
  const known = requests.get(url.href);
  if (known !== undefined) return known;
  const made = bodies.map((body) => {
    const head = [
      `POST ${url.pathname} HTTP/1.1`,
      `host: ${url.host}`,
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    return Buffer.from([...head, "", body].join("\r\n"));
  });
  requests.set(url.href, made);
  return made;
}

/** What one round sends and counts, over all its connections. */
class LoadRound {
  readonly #requests: readonly Buffer[];
  readonly #startedMs = performance.now();
  readonly #endMs: number;
  readonly #latencies: number[] = [];
  #lastMs = 0;

  constructor(requests: readonly Buffer[], durationMs: number) {
    this.#requests = requests;
    this.#endMs = this.#startedMs + durationMs;
  }

  /** Resolves when the time is over and the last answer is in. */
  drive(socket: Socket): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let sentMs = 0;
    let pending: Buffer | undefined;
    const send = (): void => {
      sentMs = performance.now();
      const request = this.#requests[sent % this.#requests.length];
      sent += 1;
      if (request !== undefined) socket.write(request);
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("The server closed the connection.")));
    socket.on("data", (chunk: Buffer) => {
      pending = pending === undefined ? chunk : Buffer.concat([pending, chunk]);
      const state = answerState(pending);
      if (state === "partial") return;
      if (state === "wrong") {
        reject(new Error(`Not the answer that was asked for:\n${pending.toString()}`));
        return;
      }
      pending = undefined;
      const now = performance.now();
      this.#latencies.push(now - sentMs);
      this.#lastMs = now;
      if (now < this.#endMs) send();
      else resolve();
    });
    return promise;
  }

  figures(): Figures {
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
    const requests = sorted.length;
    const rate = (requests / (this.#lastMs - this.#startedMs)) * 1000;
    return { rate, requests, p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}

/** One answer at a time is on the way, so a buffer holds part of it or all of it. */
function answerState(buffer: Buffer): "partial" | "whole" | "wrong" {
  const text = buffer.toString("latin1", 0, Math.min(buffer.length, 1024));
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return buffer.length < 1024 ? "partial" : "wrong";
  if (!text.startsWith("HTTP/1.1 200")) return "wrong";
  const at = text.toLowerCase().lastIndexOf("content-length:", end);
  if (at === -1) return "wrong";
  const size = end + 4 + Number.parseInt(text.slice(at + 15, end), 10);
  if (buffer.length > size) return "wrong";
  return buffer.length === size ? "whole" : "partial";
}
