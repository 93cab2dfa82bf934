/**
 * Lines into a stream: batched, bounded, never lost in silence.
 *
 * What it owns: the lines that the stream has not taken, and the count of those there was no room
 * for. It does not own the stream.
 * What may interrupt it: the stream's callback, its failure, `flushSync` at the end of the process.
 *
 * I1. One write is under way at a time; whatever comes meanwhile leaves with the next one.
 * I2. Lines leave in the order they came. A dropped line is counted, and the count is written as a
 *     line of its own at the place where the lines are missing.
 * I3. `flush` resolves once everything written before it was taken by the stream, or the stream
 *     failed; it never rejects, because logging must not fail the work it tells of.
 */

import { writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import { formatJson } from "./log-format.ts";
import type { LogFormat } from "./log-format.ts";

export interface LineWriterOptions {
  /**
   * Bytes that may wait for a slow reader. Default 1 MiB: seconds of a busy node's log, and still
   * nothing next to its memory.
   */
  readonly pendingBytesMax?: number;
  /** How the line about dropped lines looks. Default `formatJson`. */
  readonly format?: LogFormat;
  /** For the time of that line. Default: the system's. */
  readonly clock?: Clock;
  /** Told once when the stream failed; nothing is written after that. */
  readonly onFailure?: (error: Error) => void;
}

export interface LineWriter {
  /** Bound to its writer: it can be handed on as it is. */
  readonly write: (line: string) => void;
  /** Lines there was no room for, in all. */
  readonly droppedCount: number;
  readonly pendingBytes: number;
  flush(): Promise<void>;
  /**
   * Writes what waits, now, past the stream: for the last words of a process. Only for streams with
   * a file descriptor; others are left alone.
   */
  flushSync(): void;
}

/** @example createLog({ write: createLineWriter(process.stderr).write }) */
export function createLineWriter(stream: Writable, options: LineWriterOptions = {}): LineWriter {
  return new StreamLineWriter(stream, options);
}

class StreamLineWriter implements LineWriter {
  readonly #stream: Writable;
  readonly #options: LineWriterOptions;
  readonly #pendingBytesMax: number;
  #lines: string[] = [];
  #lineBytes = 0;
  #bytesUnderWay = 0;
  #dropped = 0;
  #droppedUntold = 0;
  #scheduled = false;
  #failed = false;
  #waiters: (() => void)[] = [];

  constructor(stream: Writable, options: LineWriterOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#pendingBytesMax = options.pendingBytesMax ?? 2 ** 20;
    stream.on("error", (error: Error) => this.#fail(error));
  }

  readonly write = (line: string): void => {
    const bytes = Buffer.byteLength(line) + 1;
    const full = this.pendingBytes + bytes > this.#pendingBytesMax;
    if (this.#failed || full) {
      this.#dropped += 1;
      this.#droppedUntold += 1;
      return;
    }
    if (this.#droppedUntold > 0) this.#tellDropped();
    this.#take(line, bytes);
    if (this.#bytesUnderWay === 0) this.#schedule();
  };

  get droppedCount(): number {
    return this.#dropped;
  }

  get pendingBytes(): number {
    return this.#lineBytes + this.#bytesUnderWay;
  }

  flush(): Promise<void> {
    if (this.#failed || (this.pendingBytes === 0 && this.#droppedUntold === 0)) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      if (this.#bytesUnderWay === 0) this.#send();
    });
  }

  flushSync(): void {
    const { fd } = { fd: undefined, ...descriptorOf(this.#stream) };
    if (fd === undefined || this.#failed) return;
    const chunk = this.#chunk();
    if (chunk === "") return;
    try {
      writeSync(fd, chunk);
    } catch (error) {
      // A full pipe or a reader that is gone; the process ends and there is nobody left to tell.
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(line: string, bytes: number): void {
    this.#lines.push(line);
    this.#lineBytes += bytes;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#bytesUnderWay === 0) this.#send();
    });
  }

  #send(): void {
    const bytes = this.#lineBytes;
    const chunk = this.#chunk();
    if (chunk === "") {
      this.#settle();
      return;
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#bytesUnderWay = Math.max(bytes, 1);
    this.#stream.write(chunk, () => {
      this.#bytesUnderWay = 0;
      for (const resolve of waiters) resolve();
      if (!this.#failed) this.#send();
    });
  }

  /** Everything that waits, as one text; what was dropped is told at its end (I2). */
  #chunk(): string {
    if (this.#droppedUntold > 0) this.#tellDropped();
    if (this.#lines.length === 0) return "";
    const chunk = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#lineBytes = 0;
    return chunk;
  }

  #tellDropped(): void {
    const { format = formatJson, clock = systemClock } = this.#options;
    const fields = { dropped: this.#droppedUntold, droppedInAll: this.#dropped };
    this.#droppedUntold = 0;
    const message = "log lines were dropped: the reader is too slow";
    const line = format({ timeMs: clock.nowMs(), level: "warn", message, fields });
    this.#take(line, Buffer.byteLength(line) + 1);
  }

  #settle(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#dropped += this.#lines.length;
    this.#lines = [];
    this.#lineBytes = 0;
    this.#bytesUnderWay = 0;
    this.#settle();
    this.#options.onFailure?.(error);
  }
}

function descriptorOf(stream: Writable): { fd: number } | undefined {
  return "fd" in stream && typeof stream.fd === "number" ? { fd: stream.fd } : undefined;
}
