/**
 * `banyan up`: a node from its start to its stop.
 *
 * What it owns: the data directory and the node. A failed start leaves neither. The first Ctrl-C
 * drains and exits 0, a second one ends the process at once.
 */

import type { Command } from "../command.ts";
import { listenForStop } from "../stop-signals.ts";

export async function run(command: Command): Promise<number> {
  if (command.flags.has("watch")) {
    const { watchNode } = await import("../watch.ts");
    return watchNode(command);
  }
  const { runNode } = await import("../run-node.ts");
  using signals = listenForStop();
  // Awaited here: the listeners go when this scope ends.
  return await runNode(command, signals);
}
