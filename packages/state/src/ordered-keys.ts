/**
 * A sorted set of keys in chunks: adding and removing move at most one chunk, a page is read from
 * the middle. A sorted array would move half of itself per insert, and sorting on every scan is
 * quadratic over a whole store.
 *
 * I1. No chunk is empty or longer than `CHUNK_MAX`; chunks and their keys ascend.
 */

import { compareKeys } from "./keys.ts";

const CHUNK_MAX = 512; // a split moves 256 pointers; a million keys make some 3000 chunks

export class OrderedKeys {
  readonly #chunks: string[][] = [];

  /** Takes all keys at once. */
  constructor(keys: Iterable<string>) {
    const sorted = [...keys].sort(compareKeys);
    const half = CHUNK_MAX / 2;
    for (let from = 0; from < sorted.length; from += half) {
      this.#chunks.push(sorted.slice(from, from + half));
    }
  }

  /** Adds a key that is not there yet. */
  add(key: string): void {
    const at = Math.max(0, this.#chunkOf(key));
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(placeOf(chunk, key), 0, key);
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_MAX / 2));
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const place = placeOf(chunk, key);
    if (chunk[place] !== key) return;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The keys from `from` on, ascending. Not to be used while the set changes. */
  *from(from: string): Generator<string> {
    for (let at = Math.max(0, this.#chunkOf(from)); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      for (let place = placeOf(chunk, from); place < chunk.length; place += 1) {
        const key = chunk[place];
        if (key !== undefined) yield key;
      }
    }
  }

  /** The last chunk that begins at or before the key; -1 when all begin after it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      if (first !== undefined && compareKeys(first, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Where the key stands in the chunk, or would. */
function placeOf(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = chunk[middle];
    if (found !== undefined && compareKeys(found, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
