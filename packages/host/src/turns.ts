/**
 * Turns by key: who comes while another has the turn waits for its end.
 *
 * I1. A key has one holder at a time; a key without one takes no memory.
 * I2. Whoever waits has a signal to give up by; it then leaves its place to the next.
 */

import type { Waiting } from "@banyan/kernel";
import { abortReasonOf, kernelErrors, toBanyanError } from "@banyan/kernel/internal";

export class Turns {
  /** Held keys, each with those that wait. */
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves when it is our turn; then `leave` must follow. @throws why the signal was aborted */
  async take(key: string, waiting: Waiting): Promise<void> {
    const queue = this.#waiting.get(key);
    if (queue === undefined) {
      this.#waiting.set(key, new Set());
      return;
    }
    const reason = abortReasonOf(waiting);
    if (reason !== undefined) throw cancelled(reason);
    const { signal } = waiting;
    const turn = Promise.withResolvers<void>();
    const start = (): void => turn.resolve();
    const giveUp = (): void => {
      // Too late when the turn came just before: then it is ours, and left in the usual way.
      if (queue.delete(start)) turn.reject(cancelled(signal?.reason));
    };
    queue.add(start);
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      await turn.promise;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  leave(key: string): void {
    const queue = this.#waiting.get(key);
    const [next] = queue ?? [];
    if (queue === undefined || next === undefined) {
      this.#waiting.delete(key);
      return;
    }
    queue.delete(next);
    next();
  }
}

function cancelled(reason: unknown): Error {
  if (reason instanceof Error && "code" in reason) return toBanyanError(reason);
  return kernelErrors.CALL_CANCELLED("It was cancelled while it waited for its turn.", {
    cause: reason,
  });
}
