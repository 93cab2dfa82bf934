/** Changes of one thing, one after the other, in the order in which they were asked for. */

export class OneByOne {
  /** Name → the last change of it that began. */
  readonly #changes = new Map<string, Promise<unknown>>();

  /** One of it is under way. */
  has(name: string): boolean {
    return this.#changes.has(name);
  }

  /** Runs a change after those of the same name that began before, whatever became of them. */
  run<T>(name: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(name) ?? Promise.resolve();
    const own = before.then(change, change);
    this.#changes.set(name, own);
    const forget = (): void => {
      if (this.#changes.get(name) === own) this.#changes.delete(name);
    };
    own.then(forget, forget);
    return own;
  }
}
