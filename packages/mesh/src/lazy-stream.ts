/**
 * A stream that is opened when its first frame is asked for. An object and no generator: each
 * generator on the way costs a frame several turns of the queue of microtasks.
 */

type Step = IteratorResult<unknown, undefined>;

const over: Step = Object.freeze({ done: true, value: undefined });

export class LazyStream implements AsyncIterableIterator<unknown, undefined, undefined> {
  readonly #open: () => AsyncIterator<unknown> | Promise<AsyncIterator<unknown>>;
  #inner: AsyncIterator<unknown> | undefined = undefined;
  #opening: Promise<AsyncIterator<unknown>> | undefined = undefined;
  #isOver = false;

  constructor(open: () => AsyncIterator<unknown> | Promise<AsyncIterator<unknown>>) {
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#isOver) return Promise.resolve(over);
    // A stream's iterator returns nothing at its end.
    if (this.#inner !== undefined) return this.#inner.next() as Promise<Step>;
    return this.#first();
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    this.#isOver = true;
    // One that is being opened is ended when it is there; one that failed has nothing to end.
    const inner = this.#inner ?? (await this.#opening?.catch(() => undefined));
    await inner?.return?.();
    return over;
  }

  async throw(error: unknown): Promise<IteratorResult<unknown, undefined>> {
    await this.return();
    throw error;
  }

  async #first(): Promise<Step> {
    this.#opening ??= Promise.try(this.#open);
    try {
      const inner = await this.#opening;
      if (this.#isOver) return over;
      this.#inner = inner;
      // As above.
      return (await inner.next()) as Step;
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }
}

/** What is left of a stream whose first step was taken already. */
export function startingWith(step: Step, rest: AsyncIterator<unknown>): AsyncIterator<unknown> {
  let first: Step | undefined = step;
  return {
    next() {
      if (first === undefined) return rest.next();
      const given = first;
      first = undefined;
      return Promise.resolve(given);
    },
    return: async () => {
      await rest.return?.();
      return over;
    },
  };
}
