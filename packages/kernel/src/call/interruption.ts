/**
 * Lets something end a wait that does not end by itself.
 *
 * Not `Promise.race` against one long-lived promise: every race leaves a reaction on it, which a
 * stream of a million frames would hold to its end.
 */
export class Interruption {
  #reason: Error | undefined = undefined;
  #reject: ((reason: Error) => void) | undefined = undefined;

  /** Ends the current wait and every later one. */
  interrupt(reason: Error): void {
    this.#reason = reason;
    this.#reject?.(reason);
  }

  /** The promise, unless the interruption comes first. One wait at a time. */
  wait<T>(promise: Promise<T>): Promise<T> {
    if (this.#reason !== undefined) {
      // Nobody looks at it any more.
      promise.catch(() => undefined);
      return Promise.reject(this.#reason);
    }
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }
}
