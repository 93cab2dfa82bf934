/** `banyan state get <store> <key>`: the value; what is known of it goes to standard error. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { prettyJson } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, args } = command;
  const [store, key] = args;
  const entry = await askNode(await findNode(command), "/node/state/get", { store, key });
  if (terminal.json) {
    terminal.print(JSON.stringify(entry));
    return;
  }
  terminal.print(prettyJson(entry["value"]));
  const facts = [
    `etag ${textOf(entry["etag"])}`,
    ...(typeof entry["revision"] === "number" ? [`revision ${entry["revision"]}`] : []),
    ...(textOf(entry["createdAt"]) === "" ? [] : [`created ${textOf(entry["createdAt"])}`]),
    ...(textOf(entry["updatedAt"]) === "" ? [] : [`updated ${textOf(entry["updatedAt"])}`]),
  ];
  terminal.note(terminal.styleNote("faint", facts.join(", ")));
}
