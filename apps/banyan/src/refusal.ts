/** Everything that keeps a node from starting, in one error. */

import { formatProblems } from "@banyan/kernel/internal";
import type { ConfigProblem, Offence } from "@banyan/kernel/internal";
import type { BanyanError } from "@banyan/kernel";
import { cliErrors } from "./errors.ts";

/** `undefined` when there is nothing. */
export function refusal(
  problems: readonly ConfigProblem[],
  offences: readonly Offence[],
): BanyanError | undefined {
  const count = problems.length + offences.length;
  if (count === 0) return undefined;
  const parts = [
    formatProblems(problems),
    ...offences.map(({ place, message, fix }) => `${place}: ${message}\n  Fix: ${fix}`),
  ].filter((part) => part !== "");
  const head = count === 1 ? "One thing is wrong" : `${count} things are wrong`;
  return cliErrors.CLI_SETUP_INVALID(`${head}:\n\n${parts.join("\n\n")}\n`, {
    details: { problems, offences },
  });
}
