/** `banyan events dead-letters discard`: forgets them for good. */

import { chooseLetters, manyTimeoutMs, tellWhatStays } from "../chosen-letters.ts";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { numberOf } from "../node-answers.ts";
import { askCall } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const node = await findNode(command);
  const warning = " They cannot be brought back.";
  const chosen = await chooseLetters(command, { verb: "Discard", warning });
  if (chosen === undefined) return;
  const answer = await askCall(node, {
    path: "/node/events/deadLetters/discard",
    body: chosen,
    timeoutMs: manyTimeoutMs,
  });
  if (terminal.json) terminal.print(JSON.stringify(answer));
  else terminal.print(`discarded ${numberOf(answer["discarded"])}`);
  tellWhatStays(command, answer);
}
