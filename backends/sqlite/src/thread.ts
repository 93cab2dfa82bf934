/** Starts the threads of a file. */

import { Worker } from "node:worker_threads";
import type { ThreadStart } from "./thread-messages.ts";

/**
 * Starts a thread on the package's own program. It does not keep the process alive: `ref` it while
 * an answer is awaited.
 */
export function startThread(start: ThreadStart): Worker {
  // By its public name: the same whether the package runs from its sources or joined into one file.
  const program = new URL(import.meta.resolve("@banyan/sqlite/writer"));
  const thread = new Worker(program, {
    workerData: start,
    name: `sqlite ${start.role}`,
    // Not the process's own: a thread has no use for its inspector or test runner.
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  thread.unref();
  return thread;
}

/** Has it finish what it was asked for and let go of the file; resolves when it is gone. */
export function endThread(thread: Worker): Promise<void> {
  thread.ref();
  return new Promise((resolve) => {
    thread.once("exit", () => {
      resolve();
    });
    thread.postMessage("close");
  });
}
