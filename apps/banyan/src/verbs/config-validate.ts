/** `banyan config validate`: what a start would refuse, without a start. */

import type { Command } from "../command.ts";
import { checkWorkspace } from "../check-workspace.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const { workspace, check, report } = await checkWorkspace(command);
  if (report !== undefined) throw report;
  const enabled = check.decisions.filter((service) => service.enabled).length;
  const file = workspace.settings.configFile?.path;
  if (terminal.json) {
    terminal.print(
      JSON.stringify({ valid: true, services: enabled, ...(file === undefined ? {} : { file }) }),
    );
    return;
  }
  const services = `${enabled} ${enabled === 1 ? "service" : "services"}`;
  terminal.print(
    `${terminal.style("good", "valid:")} ${services}, ${file ?? "no configuration file"}`,
  );
}
