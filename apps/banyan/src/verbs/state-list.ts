/** `banyan state list <store>`: entries in the byte order of their keys. */

import type { Command } from "../command.ts";
import { printList } from "../list-output.ts";
import { findNode } from "../node-address.ts";
import { textOf } from "../node-answers.ts";
import { escaped, shortJson } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { flags, terminal } = command;
  const [store = ""] = command.args;
  const prefix = flags.text("prefix");
  const node = await findNode(command);
  await printList(command, {
    question: {
      node,
      path: "/node/state/list",
      list: "entries",
      body: { store, ...(prefix === undefined ? {} : { prefix }) },
    },
    head: ["KEY", "VALUE"],
    cells: (row) => [terminal.style("name", escaped(textOf(row["key"]))), shortJson(row["value"])],
    nothing:
      prefix === undefined
        ? `${store} is empty.`
        : `${store} has no key that begins with ${JSON.stringify(prefix)}.`,
  });
}
