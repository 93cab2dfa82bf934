/**
 * Since when messages are in a queue, without looking at them: who looks at a message gives it
 * back, which the server counts as an attempt. So the queue is counted now and then. While it only
 * grows, as many as it held at a time are its oldest, and have been there since then.
 */

/** So many were there then, and are still. */
export interface AgeMark {
  /** Wall clock. */
  readonly atMs: number;
  readonly count: number;
}

/** A sweep of the queue. */
export interface Sweep {
  /** Wall clock, when `left` was counted. */
  readonly atMs: number;
  /** How old a mark may become before only the newest of the old ones matters. */
  readonly keepMs: number;
  /** At least so long after one mark comes the next. */
  readonly everyMs: number;
  /** Taken from its front. */
  readonly gone: number;
  readonly left: number;
}

/** How many of its oldest have been there since then, at least. */
export function countSince(marks: readonly AgeMark[], sinceMs: number): number {
  return marks.findLast(({ atMs }) => atMs <= sinceMs)?.count ?? 0;
}

/** The marks after a sweep. */
export function marksAfter(marks: readonly AgeMark[], sweep: Sweep): readonly AgeMark[] {
  const { atMs, keepMs, everyMs, gone, left } = sweep;
  const own = marks
    .map((mark) => ({ atMs: mark.atMs, count: mark.count - gone }))
    .filter(({ count }) => count > 0);
  // Fewer than there should be: somebody took some, and what is left may be younger.
  const known = (own.at(-1)?.count ?? 0) > left ? [] : own;
  const newestOld = known.findLastIndex((mark) => mark.atMs <= atMs - keepMs);
  const kept = known.slice(Math.max(0, newestOld));
  const last = kept.at(-1);
  const isDue = left > 0 && (last === undefined || atMs - last.atMs >= everyMs);
  return isDue ? [...kept, { atMs, count: left }] : kept;
}

/** What was noted of a queue; nothing where it cannot be read. */
export function readMarks(text: string): readonly AgeMark[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every(isMark) ? value : [];
  } catch {
    return []; // somebody else's
  }
}

function isMark(value: unknown): value is AgeMark {
  if (typeof value !== "object" || value === null) return false;
  return (
    "atMs" in value &&
    typeof value.atMs === "number" &&
    "count" in value &&
    typeof value.count === "number"
  );
}
