/** `500ms`, `5s`, `2m`, `1h`, `7d`; never without a unit, which people would guess differently. */

import { cliErrors } from "./errors.ts";

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** How long a call may take: what an operation's deadline may be at most. */
export const callTimeMax = "1h";
/** How far ahead something may happen: longer than anybody keeps a machine. */
export const futureTimeMax = "36500d";
/** How long an entry may live: what a store takes, about ten years. */
export const ttlTimeMax = "3650d";
/** How long an event may wait for its delivery: what a bus takes, about ten years. */
export const delayTimeMax = "3652d";

/** Milliseconds, from 1 to `max`. @throws CLI_USAGE */
export function parseDuration(text: string, flag: string, max: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    throw cliErrors.CLI_USAGE(`${flag} ${text} has no unit.`, {
      details: { fix: `Write ${text}s for seconds, or ${text} with ms, m, h or d.` },
    });
  }
  const durationMs = toMilliseconds(text);
  if (durationMs >= 1 && durationMs <= toMilliseconds(max)) return durationMs;
  throw cliErrors.CLI_USAGE(`${flag} ${text} is no time of 1ms to ${max}.`, {
    details: { fix: "Write it as 500ms, 5s, 2m, 1h or 7d." },
  });
}

/** `NaN` for what is no time. */
function toMilliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return Math.round(Number(match?.[1]) * (unitsMs[match?.[2] ?? ""] ?? Number.NaN));
}
