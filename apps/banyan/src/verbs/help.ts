/** `banyan help [verb]`. */

import { nearest } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { renderHelpFor, renderOverview } from "../help.ts";
import { shownVerbs } from "../verb-table.ts";

export async function run({ args, terminal }: Command): Promise<void> {
  const words = args.join(" ");
  if (words === "") {
    terminal.print(renderOverview(terminal.style));
    return;
  }
  const help = renderHelpFor(words, terminal.style);
  if (help === undefined) {
    const near = nearest(
      words,
      shownVerbs.map(({ name }) => name),
    );
    throw cliErrors.CLI_USAGE(`There is no verb "${words}".`, {
      details: {
        fix:
          near === undefined
            ? "`banyan help` lists the verbs."
            : `Did you mean \`banyan help ${near}\`?`,
      },
    });
  }
  terminal.print(help);
}
