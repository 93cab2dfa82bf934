/**
 * Requests that have come and wait until the other side takes more of its answers.
 *
 * What it owns: the requests, in their order, and their length.
 */

interface Parked<Of> {
  readonly of: Of;
  /** Its payload as JSON; `undefined`: it has none. */
  readonly text: string | undefined;
}

export class ParkedRequests<Of> {
  readonly #all = new Map<number, Parked<Of>>();
  #length = 0;

  get size(): number {
    return this.#all.size;
  }

  /** Characters of all their payloads. */
  get length(): number {
    return this.#length;
  }

  *[Symbol.iterator](): Iterator<readonly [number: number, of: Of]> {
    for (const [number, { of }] of this.#all) yield [number, of];
  }

  of(number: number): Of | undefined {
    return this.#all.get(number)?.of;
  }

  add(number: number, of: Of, text: string | undefined): void {
    this.#all.set(number, { of, text });
    this.#length += text?.length ?? 0;
  }

  /** Takes out whose turn it is. */
  next(): (Parked<Of> & { readonly number: number }) | undefined {
    const [first] = this.#all;
    if (first === undefined) return undefined;
    const [number, parked] = first;
    this.delete(number);
    return { ...parked, number };
  }

  delete(number: number): void {
    const parked = this.#all.get(number);
    if (parked === undefined) return;
    this.#all.delete(number);
    this.#length -= parked.text?.length ?? 0;
  }

  clear(): void {
    this.#all.clear();
    this.#length = 0;
  }
}
