/** A question that only a yes lets pass, asked at the terminal. */

import { createInterface } from "node:readline";
import type { Command } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { exitBySignal } from "./stop-signals.ts";

/** False for anything but yes. @throws CLI_USAGE where nobody can be asked */
export async function confirm(command: Command, question: string): Promise<boolean> {
  const { terminal } = command;
  if (process.stdin.isTTY !== true || terminal.json) {
    throw cliErrors.CLI_USAGE("Nobody can be asked here whether it is meant.", {
      details: { where: question, fix: "Add --yes." },
    });
  }
  // On standard error, so that the result stays alone on standard output.
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve } = Promise.withResolvers<string>();
  reader.on("SIGINT", () => exitBySignal("SIGINT"));
  reader.on("close", () => resolve("")); // the end of the input is no yes
  reader.question(`${question} [y/N] `, resolve);
  const answer = await promise;
  reader.close();
  if (/^y(?:es)?$/i.test(answer.trim())) return true;
  terminal.note("Nothing was done.");
  return false;
}
