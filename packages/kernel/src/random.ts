/** Randomness comes in through this port, so that a test can repeat a run from its seed. */

import { randomFillSync } from "node:crypto";

export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  next(): number;
  /** Cryptographically strong bytes on the real source; repeatable ones on a seeded one. */
  bytes(length: number): Uint8Array;
}

/** The real source. */
export const systemRandom: Random = Object.freeze({
  next: () => Math.random(),
  bytes: (length: number) =>
    length > pool.length / 16 ? randomFillSync(new Uint8Array(length)) : fromPool(length),
});

// A call to the system's source costs a microsecond, whether for eight bytes or for thousands.
const pool = new Uint8Array(4096);
let poolUsed = pool.length;

function fromPool(length: number): Uint8Array {
  if (poolUsed + length > pool.length) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  const bytes = pool.slice(poolUsed, poolUsed + length);
  pool.fill(0, poolUsed, poolUsed + length); // nobody can read again what was given out
  poolUsed += length;
  return bytes;
}

/**
 * A repeatable source for tests and simulations: mulberry32 (T. Ettinger, public domain), 32 bits
 * of state, period 2^32. Never for secrets.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)),
  };
}
