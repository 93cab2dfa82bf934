/**
 * What a name was answered with lately.
 *
 * A1. One answer may tell a part of all, another part each time, or nothing for a moment. So what
 *     an answer leaves out is dropped only when it has been left out several times, and for a
 *     while. Whatever comes back sooner shows how small the parts are: then more answers count.
 */

interface Remembered<T> {
  readonly value: T;
  readonly toldAtMs: number;
  /** Answers since then. */
  misses: number;
}

/** As long as the lease of a node with default settings, and a little more. */
const keptMs = 5000;
const missesMin = 3;
const missesMost = 30;

export class RememberedAnswers<T> {
  readonly #keyOf: (value: T) => string;
  readonly #known = new Map<string, Remembered<T>>();
  #missesMax = missesMin;

  constructor(keyOf: (value: T) => string) {
    this.#keyOf = keyOf;
  }

  get values(): readonly T[] {
    return [...this.#known.values()].map(({ value }) => value);
  }

  /** A new answer. One that failed is none. */
  add(answer: readonly T[], nowMs: number): void {
    const told = new Set(answer.map(this.#keyOf));
    for (const [key, known] of this.#known) {
      if (told.has(key)) {
        const wanted = Math.min(missesMost, known.misses * 2);
        this.#missesMax = Math.max(this.#missesMax, wanted);
        continue;
      }
      known.misses += 1;
      const isOld = known.misses >= this.#missesMax && nowMs - known.toldAtMs >= keptMs;
      if (isOld) this.#known.delete(key);
    }
    for (const value of answer) {
      this.#known.set(this.#keyOf(value), { value, toldAtMs: nowMs, misses: 0 });
    }
  }
}
