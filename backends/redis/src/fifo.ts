/** A queue of which the first is taken and the last is added, both in constant time. */

const COMPACT_FROM = 1024;

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.length === 0) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.length === 0) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** A copy, in order. */
  toArray(): T[] {
    return this.#items.slice(this.#head).filter((item) => item !== undefined);
  }

  /** Everything in order, and empties it. */
  takeAll(): T[] {
    const all: T[] = [];
    for (let next = this.shift(); next !== undefined; next = this.shift()) all.push(next);
    return all;
  }
}
