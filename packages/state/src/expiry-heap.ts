/**
 * Which entries expire next: a binary heap by time. Entries that were overwritten or deleted stay
 * in it until they come up or until they are the greater part, so a write never searches.
 */

export interface Expiring {
  readonly expiresAt: number;
}

const REBUILD_FROM = 1024; // below this the waste is not worth a walk

export class ExpiryHeap<E extends Expiring> {
  #items: E[] = [];
  #stale = 0;

  get size(): number {
    return this.#items.length;
  }

  /** When the next one expires; `Infinity` when none does. */
  get nextAt(): number {
    return this.#items[0]?.expiresAt ?? Infinity;
  }

  push(item: E): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = items[above];
      if (parent === undefined || parent.expiresAt <= item.expiresAt) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  /** Takes the one that expires first. */
  pop(): E | undefined {
    const [first] = this.#items;
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) this.#sink(last);
    return first;
  }

  /** Says that an item inside no longer counts; drops all such when they are too many. */
  discard(isCurrent: (item: E) => boolean): void {
    this.#stale += 1;
    if (this.#items.length < REBUILD_FROM || this.#stale * 2 < this.#items.length) return;
    const kept = this.#items.filter(isCurrent);
    this.#items = [];
    this.#stale = 0;
    for (const item of kept) this.push(item);
  }

  #sink(item: E): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      const left = at * 2 + 1;
      const right = left + 1;
      const smaller = timeOf(items[right]) < timeOf(items[left]) ? right : left;
      const child = items[smaller];
      if (child === undefined || child.expiresAt >= item.expiresAt) break;
      items[at] = child;
      at = smaller;
    }
    items[at] = item;
  }
}

function timeOf(item: Expiring | undefined): number {
  return item?.expiresAt ?? Infinity;
}
