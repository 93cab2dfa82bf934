/** `banyan completion <shell>`: the script on standard output. */

import { nearest } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { fishCompletion } from "../completion-fish.ts";
import { completionModel, shells } from "../completion-model.ts";
import type { CompletionModel, Shell } from "../completion-model.ts";
import { bashCompletion, zshCompletion } from "../completion-posix.ts";
import { cliErrors } from "../errors.ts";

const scripts: Readonly<Record<Shell, (model: CompletionModel) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export async function run({ args, terminal }: Command): Promise<void> {
  const [given = ""] = args;
  const shell = shells.find((each) => each === given);
  if (shell === undefined) {
    const near = nearest(given, shells);
    throw cliErrors.CLI_USAGE(`There is no completion for "${given}".`, {
      details: {
        fix: near === undefined ? `Shells: ${shells.join(", ")}.` : `Did you mean ${near}?`,
      },
    });
  }
  terminal.print(scripts[shell](completionModel()).trimEnd());
}
