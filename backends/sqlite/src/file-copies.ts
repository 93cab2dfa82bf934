/**
 * Copies of the file for backups, each by a thread of its own, so that other long reads go on
 * beside it and it can be broken off.
 *
 * What it owns: the thread of the copy that is made, and its unfinished file.
 * What may interrupt it: the thread's answer and its end, the caller's signal, `close`.
 *
 * C1. One copy is made at a time; the next one waits until the thread before it is gone.
 * C2. A copy has its name once it is whole and on disk. Broken off or failed, it leaves nothing.
 * C3. Who breaks a copy off does not wait for it. SQLite ends the call that it is in first, which
 *     with a large file may take a while; the thread ends behind that, and the process after it.
 */

import { rmSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import type { Waiting } from "@banyan/kernel";
import { closedError } from "@banyan/state";
import { sqliteErrors, threadFailure } from "./errors.ts";
import { startThread } from "./thread.ts";
import type { ReadAnswer, ReadRequest, ThreadStart } from "./thread-messages.ts";

export class FileCopies {
  readonly #start: Omit<ThreadStart, "role">;
  readonly #closing = new AbortController();
  /** When the thread of the copy before is gone. */
  #last: Promise<void> = Promise.resolve();

  constructor(start: Omit<ThreadStart, "role">) {
    this.#start = start;
  }

  /**
   * Writes a checked copy of the file.
   * @throws SQLITE_BACKUP_FAILED, CLOSED, the signal's reason
   */
  async copy(file: string, { signal }: Waiting = {}): Promise<void> {
    const closing = this.#closing.signal;
    const stop = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    const before = this.#last;
    const gone = Promise.withResolvers<void>();
    this.#last = gone.promise;
    try {
      await unlessStopped(before, stop);
    } catch (error) {
      void before.then(gone.resolve);
      throw error;
    }
    const answer = await this.#copyBy(file, { stop, onGone: gone.resolve });
    if (answer.kind === "written") return;
    const said = answer.kind === "failed" ? answer : { errcode: 0, message: "no answer" };
    throw sqliteErrors.SQLITE_BACKUP_FAILED(
      `The copy ${file} of the database file ${this.#start.path} could not be written; check ` +
        `the folder and the room on its disk. The database is not touched.`,
      { details: { file }, cause: threadFailure(said, this.#start.path) },
    );
  }

  /** Breaks off what is being made. */
  close(): void {
    this.#closing.abort(closedError("sqlite"));
  }

  #copyBy(
    file: string,
    { stop, onGone }: { readonly stop: AbortSignal; readonly onGone: () => void },
  ): Promise<ReadAnswer> {
    const temporary = `${file}.partial`;
    const thread = startThread({ role: "reader", ...this.#start });
    thread.ref();
    return new Promise((resolve, reject) => {
      let cause: unknown = "it was ended";
      const onStop = (): void => {
        reject(stop.reason);
        breakOff(thread, temporary);
      };
      thread.on("message", (answer: ReadAnswer) => {
        stop.removeEventListener("abort", onStop);
        resolve(answer);
        thread.postMessage("close");
      });
      thread.on("error", (error) => {
        cause = error;
      });
      thread.on("exit", () => {
        stop.removeEventListener("abort", onStop);
        if (stop.aborted) removeUnfinished(temporary);
        const message = `The thread ended before it answered: ${String(cause)}.`;
        resolve({ kind: "failed", errcode: 0, message }); // nothing, where it was answered
        onGone();
      });
      stop.addEventListener("abort", onStop);
      const request: ReadRequest = { kind: "backup", temporary, file };
      thread.postMessage(request);
    });
  }
}

function breakOff(thread: Worker, temporary: string): void {
  thread.unref();
  void thread.terminate();
  removeUnfinished(temporary); // its room is free as soon as SQLite lets go of it
}

function removeUnfinished(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {
    // Some systems do not remove what is open; it goes when the thread has ended.
  }
}

/** Rejects with the signal's reason as soon as that is aborted. */
function unlessStopped(waited: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onStop = (): void => {
      reject(signal.reason);
    };
    if (signal.aborted) {
      onStop();
      return;
    }
    signal.addEventListener("abort", onStop, { once: true });
    void waited.then(() => {
      signal.removeEventListener("abort", onStop);
      resolve();
    });
  });
}
