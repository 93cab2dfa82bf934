/** `banyan events dead-letters redrive`: back to their subscription, with a fresh count. */

import { chooseLetters, manyTimeoutMs, tellWhatStays } from "../chosen-letters.ts";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { numberOf } from "../node-answers.ts";
import { askCall } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const node = await findNode(command);
  const chosen = await chooseLetters(command, { verb: "Redrive", warning: "" });
  if (chosen === undefined) return;
  const answer = await askCall(node, {
    path: "/node/events/deadLetters/redrive",
    body: chosen,
    timeoutMs: manyTimeoutMs,
  });
  if (terminal.json) terminal.print(JSON.stringify(answer));
  else terminal.print(`redriven ${numberOf(answer["redriven"])}`);
  tellWhatStays(command, answer);
}
