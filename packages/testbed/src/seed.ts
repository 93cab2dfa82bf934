/** One seed per test process, printed, so that a failed random run can be repeated. */

import { randomInt } from "node:crypto";

let chosen: number | undefined;

/**
 * The seed for `fast-check` and `createSeededRandom`: `BANYAN_TEST_SEED`, or a random one. The
 * first call prints it on stderr together with how to repeat the run.
 */
export function seedOf(): number {
  if (chosen === undefined) {
    chosen = parseSeed(process.env["BANYAN_TEST_SEED"]) ?? randomInt(2 ** 31);
    process.stderr.write(`seed ${chosen} (repeat with BANYAN_TEST_SEED=${chosen})\n`);
  }
  return chosen;
}

/** @throws when the text is no integer of 32 bits: a mistyped seed is not a random one. */
export function parseSeed(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const seed = Number(text);
  if (Number.isInteger(seed) && Math.abs(seed) < 2 ** 31) return seed;
  throw new RangeError(`BANYAN_TEST_SEED is "${text}"; it must be an integer of 32 bits.`);
}
