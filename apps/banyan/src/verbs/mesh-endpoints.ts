/** `banyan mesh endpoints`: the nodes of the fleet, as the running one knows them. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { askNode } from "../node-client.ts";
import { endpointRows, endpointTable } from "../mesh-answers.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const service = flags.text("service");
  const app = flags.text("app");
  const answer = await askNode(await findNode(command), "/node/mesh/endpoints", {
    ...(service === undefined ? {} : { service }),
    ...(app === undefined ? {} : { app }),
  });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const rows = endpointRows(answer);
  if (rows.length > 0) terminal.print(endpointTable(rows, terminal));
  else terminal.note(terminal.styleNote("faint", nothing(answer["fleet"] === true)));
}

function nothing(isFleet: boolean): string {
  return isFleet
    ? "No node of the fleet fits."
    : "This node is alone. banyan up --join redis://host:6379 makes it one of a fleet.";
}
