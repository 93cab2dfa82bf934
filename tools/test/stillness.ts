/**
 * Ends a test run in which nothing happens any more. Node limits each test, but not the process of
 * a test file: one that leaves a server or a timer behind after its last test runs for ever.
 */

export interface StillnessOptions {
  /** Longer than any test may take: less would end a run in which a test is merely slow. */
  readonly limitMs: number;
}

export class Stillness implements Disposable {
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor({ limitMs }: StillnessOptions) {
    this.#limitMs = limitMs;
    this.#timer = setTimeout(() => this.#end(), limitMs);
  }

  /** For `run`: it kills the files that are still running, and each of them fails by the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something was heard of the run. */
  heard(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    const limit = `${this.#limitMs / 1000} s`;
    const text =
      `this file did not end, and nothing was heard of the run for ${limit}: ` +
      "does a test leave a server, a connection or a timer behind?";
    this.#controller.abort(new Error(text));
  }
}
