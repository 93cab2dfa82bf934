/**
 * What must happen when the test process itself ends, however it ends: a test that crashed, was
 * interrupted or ran into the runner's time limit leaves no child process and no folder behind.
 *
 * A test process killed with SIGKILL is beyond this; nothing in the process can help then.
 */

const cleanups = new Set<() => void>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let installed = false;

/**
 * Runs `cleanup`, which must be synchronous, at the end of this process; what was given last is run
 * first. Undone by the answer.
 */
export function atProcessEnd(cleanup: () => void): () => void {
  install();
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on("exit", runAll);
  for (const signal of signals) {
    process.once(signal, () => {
      runAll();
      // Our listener is gone: the signal now does what it would have done without us.
      process.kill(process.pid, signal);
    });
  }
}

function runAll(): void {
  // The last first: a process ends before the folder that it writes to goes.
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
      // One that fails must not keep the others from running; there is nobody left to tell.
    }
  }
}
