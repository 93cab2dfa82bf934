/**
 * Owns promises that nobody awaits one by one, so that none floats.
 *
 * I1. Every task added is awaited by `close`, which first aborts the group's signal.
 * I2. A task's failure is reported to `onFailure` once; it never becomes an unhandled rejection.
 */

export interface TaskGroupOptions {
  /** Told of every failure that is not the group's own abort. */
  readonly onFailure: (error: unknown, name: string) => void;
}

export class TaskGroup {
  readonly #options: TaskGroupOptions;
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<void>>();

  constructor(options: TaskGroupOptions) {
    this.#options = options;
  }

  /** Aborted when the group closes. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Starts a task and owns it from then on. */
  add(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    const running = Promise.try(task, this.#controller.signal)
      .catch((error: unknown) => {
        // The abort we asked for ourselves is an expected ending.
        if (this.#controller.signal.aborted && error === this.#controller.signal.reason) return;
        this.#options.onFailure(error, name);
      })
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  /** Resolves when nothing runs any more; asks nobody to stop. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }

  /** Aborts the signal and waits for every task. Safe to call twice. */
  async close(): Promise<void> {
    this.#controller.abort(new DOMException("The task group was closed.", "AbortError"));
    await this.idle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
