/**
 * The child's half of "kill it exactly there": a named point at which the test may stop or kill
 * this process. It blocks the whole process, so nothing else runs between the point and the kill.
 *
 * Outside a testbed child it is one comparison.
 */

import { readSync, writeSync } from "node:fs";

/** The descriptor that the testbed opens for points, and the variable that says it is there. */
export const testpointFd = 3;
export const testpointVariable = "BANYAN_TESTPOINTS";

const enabled = process.env[testpointVariable] === "1";
const answer = new Uint8Array(1);

/** Tells the test that this point was reached and waits until the test lets us go on. */
export function testpoint(name: string): void {
  if (!enabled) return;
  writeSync(testpointFd, `${name}\n`);
  // No byte means that the test is gone: nobody is left to go on for.
  if (readSync(testpointFd, answer, 0, 1, null) === 0) process.exit(1);
}
