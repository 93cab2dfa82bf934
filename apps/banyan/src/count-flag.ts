/** `--limit 10`: a flag that is a whole number. */

import type { Flags } from "./command.ts";
import { cliErrors } from "./errors.ts";

/** From 1 on; `undefined` when it is not given. @throws CLI_USAGE */
export function countFlag(flags: Flags, name: string): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return undefined;
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw cliErrors.CLI_USAGE(`--${name} ${text} is no whole number from 1 on.`, {
    details: { fix: `Write it as --${name} 10.` },
  });
}
