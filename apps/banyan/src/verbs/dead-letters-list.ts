/** `banyan events dead-letters list`: what could not be handled, oldest first. */

import type { Command } from "../command.ts";
import { printList } from "../list-output.ts";
import { findNode } from "../node-address.ts";
import { numberOf, recordOf, textOf } from "../node-answers.ts";
import { oneLine } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { flags, terminal } = command;
  const subscription = flags.text("subscription");
  const node = await findNode(command);
  await printList(command, {
    question: {
      node,
      path: "/node/events/deadLetters/list",
      list: "letters",
      body: subscription === undefined ? {} : { subscription },
    },
    head: ["ID", "SUBSCRIPTION", "TOPIC", "DEAD SINCE", "ATTEMPTS", "REASON", "ERROR"],
    cells: (row) => [
      terminal.style("name", oneLine(textOf(row["id"]))),
      oneLine(textOf(row["subscription"])),
      oneLine(textOf(row["topic"])),
      textOf(row["deadAt"]),
      String(numberOf(row["attempts"])),
      textOf(row["reason"]),
      oneLine(textOf(recordOf(row["error"])?.["code"])),
    ],
    nothing:
      subscription === undefined
        ? "There are no dead letters."
        : `${subscription} has no dead letters.`,
  });
}
