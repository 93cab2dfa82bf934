/** How many messages a second are published and handled. Run in a subject's process. */

import { steadyRate } from "../rates.ts";
import type { Figures, Question } from "../subject.ts";

/** Counts what was handled, and tells who waits for a number of them. */
export class HandledCounter {
  #count = 0;
  #wanted = Infinity;
  #resolve: (() => void) | undefined;

  /** For the handler: one more. */
  add(): void {
    this.#count += 1;
    if (this.#count >= this.#wanted) this.#resolve?.();
  }

  /** Resolves when that many were handled since the last call. */
  async take(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = count;
    this.#resolve = resolve;
    if (this.#count < count) await promise;
    this.#wanted = Infinity;
    this.#count -= count;
  }
}

/** Publishes until the time is over; the clock stops when the last message was handled. */
export async function handledRate(
  question: Question,
  publish: () => Promise<unknown>,
  handled: HandledCounter,
): Promise<Figures> {
  const startedMs = performance.now();
  let published = 0;
  await steadyRate(question, async () => {
    await publish();
    published += 1;
    return 1;
  });
  await handled.take(published);
  return { rate: (published / (performance.now() - startedMs)) * 1000 };
}
