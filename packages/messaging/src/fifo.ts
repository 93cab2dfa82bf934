/** A queue in a ring that grows by doubling: push and shift without moving what is in it. */

const capacityMin = 16;

export class Fifo<T> {
  #ring: (T | undefined)[] = Array.from({ length: capacityMin });
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item;
    this.#size += 1;
  }

  /** Puts an item in front of the first. */
  unshift(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.#size += 1;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size -= 1;
    return item;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head];
  }

  /** The item so many places behind the first. */
  at(place: number): T | undefined {
    if (place >= this.#size) return undefined;
    return this.#ring[(this.#head + place) & (this.#ring.length - 1)];
  }

  /** Takes out all that fit, wherever they stand. Walks the queue. */
  removeAll(isGone: (item: T) => boolean): void {
    for (let left = this.#size; left > 0; left -= 1) {
      const item = this.shift();
      if (item !== undefined && !isGone(item)) this.push(item);
    }
  }

  clear(): void {
    this.#ring = Array.from({ length: capacityMin });
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const { length } = this.#ring;
    const grown: (T | undefined)[] = Array.from({ length: length * 2 });
    for (let index = 0; index < this.#size; index += 1) {
      grown[index] = this.#ring[(this.#head + index) & (length - 1)];
    }
    this.#ring = grown;
    this.#head = 0;
  }
}
