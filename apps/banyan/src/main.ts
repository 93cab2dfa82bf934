/** The command from its first word to its exit code. Verbs are loaded when they are named. */

import type { Command } from "./command.ts";
import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";
import { createTerminal, endOnBrokenPipe } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";
import { loadVerb } from "./verb-modules.ts";

const words = process.argv.slice(2);
endOnBrokenPipe(process.stdout);
endOnBrokenPipe(process.stderr);
process.exitCode = await runCommand(words, terminalFor(words));

async function runCommand(given: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const { verb, group, args, flags } = parseArguments(given);
    if (verb === undefined || flags.has("help")) {
      const { renderHelpFor, renderOverview, renderVerbHelp } = await import("./help.ts");
      const paint = terminal.style;
      const help =
        verb === undefined ? renderHelpFor(group ?? "", paint) : renderVerbHelp(verb, paint);
      terminal.print(help ?? renderOverview(paint));
      // Nothing was asked for: that is wrong usage, for a script at least.
      return given.length === 0 ? 2 : 0;
    }
    const command: Command = { verb, args, flags, terminal, env: process.env, cwd: process.cwd() };
    const { run } = await loadVerb(verb.name);
    return (await run(command)) ?? 0;
  } catch (error) {
    return reportError(error, terminal);
  }
}

/** Made before the flags are parsed, because a wrong flag is reported through it. */
function terminalFor(given: readonly string[]): Terminal {
  const end = given.indexOf("--");
  const flags = end === -1 ? given : given.slice(0, end);
  return createTerminal({
    json: flags.includes("--json"),
    noColor: flags.includes("--no-color"),
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}
