/**
 * What the cases about state keep: the same keys, values and choice of keys for every subject.
 *
 * A value is about 120 bytes of JSON, a key 12 bytes. Keys are chosen uniformly: no hot ones, which
 * is the worst case for every cache on the way.
 */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";

export const recordSchema = t.Object({
  name: t.String({ minLength: 1, maxLength: 64 }),
  email: t.String({ maxLength: 128 }),
  visits: t.Integer({ minimum: 0 }),
  active: t.Boolean(),
  tags: t.Array(t.String({ maxLength: 32 })),
});

export type Stored = Static<typeof recordSchema>;

export function keyAt(index: number): string {
  return `user-${String(index).padStart(7, "0")}`;
}

export function recordAt(index: number, visits = 0): Stored {
  return {
    name: `Ada Lovelace the ${index}th`,
    email: `ada.${index}@analytical.example`,
    visits,
    active: true,
    tags: ["mathematics", "poetry"],
  };
}

/** Indexes from 0 to `count` - 1, uniformly, the same series in every process. */
export function uniformIndexes(count: number): () => number {
  let state = 0x9e3779b9;
  return () => {
    // Marsaglia's xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}

/** Keys, uniformly. The texts of small sets are made once, as a program would hold them. */
export function uniformKeys(count: number): () => string {
  const next = uniformIndexes(count);
  if (count > 100_000) return () => keyAt(next());
  const keys = Array.from({ length: count }, (_, index) => keyAt(index));
  return () => keys[next()] ?? "";
}
