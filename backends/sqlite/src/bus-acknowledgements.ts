/**
 * Acknowledgements on their way to the file, as ranges of rows: what was handled in order is one
 * range.
 */

import type { SeqRange } from "./bus-ops.ts";

export class Acknowledgements {
  readonly #seqs = new Map<number, number[]>();
  /** Given back by a write that failed. */
  #returned: SeqRange[] = [];
  #count = 0;

  /** Messages. */
  get count(): number {
    return this.#count;
  }

  add(group: number, seq: number): void {
    const seqs = this.#seqs.get(group);
    if (seqs === undefined) this.#seqs.set(group, [seq]);
    else seqs.push(seq);
    this.#count += 1;
  }

  giveBack(ranges: readonly SeqRange[], count: number): void {
    for (const range of ranges) this.#returned.push(range);
    this.#count += count;
  }

  /** All of them; none are left. */
  take(): readonly SeqRange[] {
    const ranges: SeqRange[] = [];
    for (const [group, seqs] of this.#seqs) addRanges(ranges, group, seqs);
    this.#seqs.clear();
    this.#count = 0;
    if (this.#returned.length === 0) return ranges;
    const all = joined([...this.#returned, ...ranges]);
    this.#returned = [];
    return all;
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

/** In order, those next to each other as one. */
function joined(ranges: readonly SeqRange[]): SeqRange[] {
  const result: SeqRange[] = [];
  for (const [group, first, last] of ranges.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const before = result.at(-1);
    if (before !== undefined && before[0] === group && first <= before[2] + 1) {
      result[result.length - 1] = [group, before[1], Math.max(before[2], last)];
    } else result.push([group, first, last]);
  }
  return result;
}
