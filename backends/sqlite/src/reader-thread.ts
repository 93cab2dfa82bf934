/**
 * Long reads, beside the event loop: a thread that is started when it is first needed and ended
 * when nobody needed it for a while.
 *
 * What it owns: the thread, and those that wait for it. What may interrupt it: the thread's answers
 * and its death, the idle timer; each between two turns.
 *
 * R1. Requests are answered in order, one at a time.
 * R2. Every request is answered, also when the thread dies; the next one starts a new thread.
 * R3. The process stays alive exactly as long as a request waits.
 */

import type { Worker } from "node:worker_threads";
import type { CancelTimer, Clock } from "@banyan/kernel";
import { closedError } from "@banyan/state";
import { sqliteErrors, threadFailure } from "./errors.ts";
import type { SqlRow, SqlValue } from "./sql-value.ts";
import { endThread, startThread } from "./thread.ts";
import type { ReadAnswer, ReadRequest, ThreadStart } from "./thread-messages.ts";

const IDLE_MS = 30_000; // a start takes some 30 ms, a thread that waits some 10 MB

interface Waiter {
  readonly resolve: (answer: ReadAnswer) => void;
  readonly reject: (error: Error) => void;
}

export interface ReaderThreadOptions extends Omit<ThreadStart, "role"> {
  readonly clock: Clock;
}

export class ReaderThread {
  readonly #options: ReaderThreadOptions;
  readonly #waiters: Waiter[] = [];
  #thread: Worker | undefined = undefined;
  #cancelIdle: CancelTimer | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  /** Of the thread before this one. */
  #ended: Promise<void> | undefined = undefined;

  constructor(options: ReaderThreadOptions) {
    this.#options = options;
  }

  /** @throws SQLITE_… errors */
  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const answer = await this.#ask({ kind: "all", sql, values });
    if (answer.kind === "rows") return answer.rows;
    throw this.#failure(answer);
  }

  /** Waits for what was asked for, then ends the thread. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #ask(request: ReadRequest): Promise<ReadAnswer> {
    if (this.#closing !== undefined) return Promise.reject(closedError("sqlite"));
    const thread = (this.#thread ??= this.#start());
    this.#cancelIdle?.();
    thread.ref();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      thread.postMessage(request);
    });
  }

  #start(): Worker {
    const { path, identity, busyTimeoutMs } = this.#options;
    const thread = startThread({ role: "reader", path, identity, busyTimeoutMs });
    let cause: unknown;
    thread.on("message", (answer: ReadAnswer) => {
      this.#waiters.shift()?.resolve(answer);
      if (this.#waiters.length === 0) this.#rest(thread);
    });
    thread.on("error", (error) => {
      cause = error;
    });
    thread.on("exit", () => {
      this.#exited(thread, cause);
    });
    return thread;
  }

  #rest(thread: Worker): void {
    thread.unref();
    this.#cancelIdle = this.#options.clock.setTimer(IDLE_MS, () => {
      // Whoever asks from here on is answered by a new one.
      this.#thread = undefined;
      this.#ended = endThread(thread);
    });
  }

  #exited(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    this.#cancelIdle?.();
    const { path } = this.#options;
    for (const { reject } of this.#waiters.splice(0)) {
      reject(
        sqliteErrors.SQLITE_FAILED(
          `The thread that read the database file ${path} ended before it answered; try again.`,
          { details: { file: path }, cause },
        ),
      );
    }
  }

  async #end(): Promise<void> {
    this.#cancelIdle?.();
    // The one that went to rest may still hold the file.
    await this.#ended;
    if (this.#thread !== undefined) await endThread(this.#thread);
  }

  #failure(answer: ReadAnswer): Error {
    const said = answer.kind === "failed" ? answer : { errcode: 0, message: "no answer" };
    return threadFailure(said, this.#options.path);
  }
}
