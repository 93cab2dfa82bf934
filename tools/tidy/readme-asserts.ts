/** What a README example's `//=> …` comments become. */

import assert from "node:assert/strict";
import { format } from "node:util";

/** The value equals what the comment says, deeply. */
export function is(actual: unknown, expected: () => unknown, claim: string): void {
  assert.deepEqual(
    actual,
    expected(),
    `the README says //=> ${claim}, but it is ${format(actual)}`,
  );
}

/** The printed line equals the comment. */
export function prints(values: readonly unknown[], claim: string): void {
  const line = format(...values);
  assert.equal(line, claim, `the README says //=> ${claim}, but it prints ${line}`);
}
