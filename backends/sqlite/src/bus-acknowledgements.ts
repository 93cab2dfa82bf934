/** The acknowledgements of one turn, as ranges of rows: what was handled in order is one range. */

import type { SeqRange } from "./bus-ops.ts";

export class Acknowledgements {
  readonly #seqs = new Map<number, number[]>();
  readonly #done = Promise.withResolvers<void>();

  /** Resolves, or rejects, with the write that takes them all. */
  add(group: number, seq: number): Promise<void> {
    const seqs = this.#seqs.get(group);
    if (seqs === undefined) this.#seqs.set(group, [seq]);
    else seqs.push(seq);
    return this.#done.promise;
  }

  ranges(): SeqRange[] {
    const ranges: SeqRange[] = [];
    for (const [group, seqs] of this.#seqs) addRanges(ranges, group, seqs);
    return ranges;
  }

  endWith(write: Promise<unknown>): void {
    write.then(() => this.#done.resolve(), this.#done.reject);
  }
}

function addRanges(ranges: SeqRange[], group: number, seqs: number[]): void {
  let [first] = seqs.sort((a, b) => a - b);
  if (first === undefined) return;
  let last = first;
  for (const seq of seqs) {
    if (seq > last + 1) {
      ranges.push([group, first, last]);
      first = seq;
    }
    last = seq;
  }
  ranges.push([group, first, last]);
}
