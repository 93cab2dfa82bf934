/**
 * A stream that is opened when its first frame is asked for. An object and no generator: each
 * generator on the way costs a frame several turns of the queue of microtasks.
 *
 * Z1. A consumer that leaves waits for no opening; what is opened afterwards is ended at once.
 */

type Step = IteratorResult<unknown, undefined>;

/** Of one who opens a stream and may have to stop. */
export interface Leave {
  /** The consumer wants nothing any more. */
  readonly isLeft: boolean;
  /** Told once, when it leaves. */
  onLeave: (() => void) | undefined;
}

type Opened = AsyncIterator<unknown>;

const over: Step = Object.freeze({ done: true, value: undefined });

/** A stream that has ended. */
export const endedStream: Opened = { next: () => Promise.resolve(over) };

export class LazyStream implements AsyncIterableIterator<unknown, undefined, undefined> {
  readonly #open: (leave: Leave) => Opened | Promise<Opened>;
  #inner: Opened | undefined = undefined;
  #opening: Promise<Opened> | undefined = undefined;
  readonly #leave: { isLeft: boolean; onLeave: Leave["onLeave"] } = {
    isLeft: false,
    onLeave: undefined,
  };
  #isOver = false;
  /** Those who asked while it is being opened. */
  #waiters: ((step: Step) => void)[] = [];

  constructor(open: (leave: Leave) => Opened | Promise<Opened>) {
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
    const left = this.#leave;
    if (!left.isLeft) {
      left.isLeft = true;
      left.onLeave?.();
    }
    for (const tell of this.#waiters.splice(0)) tell(over);
    await this.#inner?.return?.();
    return over;
  }

  async throw(error: unknown): Promise<IteratorResult<unknown, undefined>> {
    await this.return();
    throw error;
  }

  #first(): Promise<Step> {
    return new Promise((resolve, reject) => {
      this.#waiters.push(resolve);
      this.#opening ??= this.#opened();
      this.#opening.then(
        (inner) => {
          if (this.#isOver) resolve(over);
          // As above.
          else (inner.next() as Promise<Step>).then(resolve, reject);
        },
        (error: unknown) => {
          // Told once.
          if (this.#isOver) resolve(over);
          else reject(error);
          this.#isOver = true;
        },
      );
    });
  }

  async #opened(): Promise<Opened> {
    const inner = await this.#open(this.#leave);
    this.#waiters = [];
    this.#inner = inner;
    // Nobody waits for how it ends.
    if (this.#isOver) void inner.return?.().then(undefined, () => undefined);
    return inner;
  }
}

/** What is left of a stream whose first step was taken already. */
export function startingWith(step: Step, rest: Opened): Opened {
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
