/** `banyan mesh mappings`: which app runs which service. */

import type { Command } from "../command.ts";
import { mappingText } from "../mesh-answers.ts";
import { findNode } from "../node-address.ts";
import { askNode } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const answer = await askNode(await findNode(command), "/node/mesh/mappings");
  terminal.print(terminal.json ? JSON.stringify(answer) : mappingText(answer, terminal));
}
