/** `banyan doctor`: one line for each thing that must hold, with what to do where it does not. */

import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import type { Finding } from "../health-checks.ts";
import { examine } from "../health-checks.ts";
import type { Style } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";

const styles: Readonly<Record<Finding["verdict"], Style>> = {
  ok: "good",
  note: "warning",
  bad: "bad",
};

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const findings = await examine(command);
  const bad = findings.filter(({ verdict }) => verdict === "bad");
  if (terminal.json) {
    terminal.print(JSON.stringify({ healthy: bad.length === 0, findings }));
  } else {
    const rows = findings.map(({ verdict, what, found }) => [
      terminal.style(styles[verdict], verdict),
      what,
      oneLine(found),
    ]);
    const lines = textTable(rows).split("\n");
    for (const [index, line] of lines.entries()) {
      terminal.print(line);
      const fix = findings[index]?.fix;
      if (fix !== undefined) terminal.print(`      fix: ${oneLine(fix)}`);
    }
  }
  if (bad.length === 0) return;
  const names = bad.map(({ what }) => what).join(", ");
  throw cliErrors.CLI_UNHEALTHY(`Something needs mending: ${names}.`, {
    details: { fix: "Follow the lines above." },
  });
}
