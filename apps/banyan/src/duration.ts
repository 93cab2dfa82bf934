/** `500ms`, `5s`, `2m`, `1h`, or a plain number of milliseconds. */

import { cliErrors } from "./errors.ts";

const unitsMs: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const durationMaxMs = 3_600_000; // what an operation's deadline may be at most

/** Milliseconds. @throws CLI_USAGE */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  const durationMs = Math.round(Number(match?.[1]) * (unitsMs[match?.[2] ?? ""] ?? Number.NaN));
  if (durationMs >= 1 && durationMs <= durationMaxMs) return durationMs;
  throw cliErrors.CLI_USAGE(`${flag} ${text} is no time of 1 ms to 1 h.`, {
    details: { fix: `Write it as 500ms, 5s, 2m or 1h.` },
  });
}
