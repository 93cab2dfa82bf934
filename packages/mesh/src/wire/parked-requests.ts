/**
 * Requests that have come and wait until the other side takes more of its answers.
 *
 * What it owns: the requests, in their order, and their length.
 */

export interface ParkedRequest<Heard> {
  readonly heard: Heard;
  /** Its payload as JSON; `undefined`: it has none. */
  readonly text: string | undefined;
  readonly sinceMs: number;
}

export class ParkedRequests<Heard> {
  readonly #all = new Map<number, ParkedRequest<Heard>>();
  #length = 0;

  get size(): number {
    return this.#all.size;
  }

  /** Characters of all their payloads. */
  get length(): number {
    return this.#length;
  }

  add(number: number, request: ParkedRequest<Heard>): void {
    this.#all.set(number, request);
    this.#length += request.text?.length ?? 0;
  }

  /** Takes out whose turn it is. */
  next(): (ParkedRequest<Heard> & { readonly number: number }) | undefined {
    const [first] = this.#all;
    if (first === undefined) return undefined;
    const [number, request] = first;
    this.delete(number);
    return { ...request, number };
  }

  delete(number: number): void {
    const request = this.#all.get(number);
    if (request === undefined) return;
    this.#all.delete(number);
    this.#length -= request.text?.length ?? 0;
  }

  clear(): void {
    this.#all.clear();
    this.#length = 0;
  }
}
