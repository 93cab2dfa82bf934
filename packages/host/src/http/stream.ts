/**
 * Streams over HTTP: server-sent events (WHATWG HTML, section 9.2).
 *
 * Each frame is one `data:` line of JSON. The end is the event `end`; an error after the head was
 * sent is the event `error` with problem details. A comment line goes out when nothing else did for
 * a while, so that proxies keep the connection and a dead client is noticed.
 *
 * What it owns: the response from its head on, and the heartbeat.
 * What may interrupt it: the client's going away, at any moment; the frames' end or failure.
 *
 * I1. The head goes out with the first frame, or with the first heartbeat: until then a failure is
 *     answered with its own status.
 * I2. Frames are asked for no faster than the client takes them.
 * I3. However it ends, the frames' generator is returned and the response is ended.
 */

import type { Clock } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import type { CallContext } from "@banyan/kernel/internal";
import type { FastifyReply } from "fastify";
import { problemOf } from "./problem.ts";
import { plainHeaders } from "./reply.ts";

const heartbeatMs = 15_000;

export interface StreamMeans {
  readonly clock: Clock;
  /** The call, once it is open: an error names its trace. */
  readonly traced: () => CallContext | undefined;
}

/** Sends frames until they end or the client goes away. Rejects when it fails before the head. */
export async function sendStream(
  reply: FastifyReply,
  frames: AsyncIterable<unknown>,
  { clock, traced }: StreamMeans,
): Promise<void> {
  const events = new EventWriter(reply, clock);
  try {
    for await (const frame of frames) await events.write(`data: ${JSON.stringify(frame)}\n\n`);
    await events.write("event: end\ndata: {}\n\n");
  } catch (error) {
    if (!events.isOpen) throw error;
    const problem = problemOf(toBanyanError(error), traced()?.trace.traceId);
    await events.write(`event: error\ndata: ${JSON.stringify(problem)}\n\n`);
  } finally {
    events.end();
  }
}

class EventWriter {
  readonly #reply: FastifyReply;
  readonly #clock: Clock;
  #open = false;
  #cancelBeat: () => void;

  constructor(reply: FastifyReply, clock: Clock) {
    this.#reply = reply;
    this.#clock = clock;
    this.#cancelBeat = clock.setTimer(heartbeatMs, () => this.#beat());
  }

  /** The head is out: the status can be changed no more. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Resolves when the client can take more, or is gone. */
  async write(text: string): Promise<void> {
    const { raw } = this.#reply;
    this.#ensureHead();
    this.#cancelBeat();
    this.#cancelBeat = this.#clock.setTimer(heartbeatMs, () => this.#beat());
    if (raw.destroyed || raw.write(text)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    raw.once("drain", resolve).once("close", resolve);
    await promise;
    raw.off("drain", resolve).off("close", resolve);
  }

  end(): void {
    this.#cancelBeat();
    if (this.#open) this.#reply.raw.end();
  }

  #beat(): void {
    const { raw } = this.#reply;
    if (raw.destroyed || raw.writableEnded) return;
    this.#ensureHead();
    // A client that is slow has bytes waiting for it: they keep the connection as well.
    if (!raw.writableNeedDrain) raw.write(": still here\n\n");
    this.#cancelBeat = this.#clock.setTimer(heartbeatMs, () => this.#beat());
  }

  #ensureHead(): void {
    if (this.#open) return;
    this.#open = true;
    const headers = plainHeaders(this.#reply);
    this.#reply.hijack();
    this.#reply.raw.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
  }
}
