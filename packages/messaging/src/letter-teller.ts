/** Tells whoever opened a bus of its dead letters. */

import type { Log } from "@banyan/kernel";
import type { DeadLetter } from "./bus.ts";

/** Never throws: what the listener throws is logged, once. */
export function letterTeller(
  onDeadLetter: ((letter: DeadLetter) => void) | undefined,
  log: Log,
): (letter: DeadLetter) => void {
  if (onDeadLetter === undefined) return () => undefined;
  let hasFailed = false;
  return (letter) => {
    try {
      onDeadLetter(letter);
    } catch (error) {
      if (!hasFailed) log.error("who is told of dead letters failed", { error });
      hasFailed = true;
    }
  };
}
