/** `banyan services`: what runs, by layer, with its health. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { serviceRows } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { serviceTable } from "../service-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const answer = await askNode(await findNode(command), "/node/services");
  if (terminal.json) terminal.print(JSON.stringify(answer));
  else terminal.print(serviceTable(serviceRows(answer), terminal));
}
