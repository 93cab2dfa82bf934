/** `banyan state delete <store> <key…>`: all of them or none; what was not there is no mistake. */

import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import { numberOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [store, ...keys] = command.args;
  const ifMatch = flags.text("if-match");
  if (ifMatch !== undefined && keys.length > 1) {
    throw cliErrors.CLI_USAGE("--if-match goes with one key: an etag belongs to one entry.", {
      details: { fix: "Delete the keys one by one, or leave --if-match out." },
    });
  }
  const node = await findNode(command);
  const answer = await askNode(node, "/node/state/delete", {
    store,
    keys: [...new Set(keys)],
    ...(ifMatch === undefined ? {} : { ifMatch }),
  });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const deleted = numberOf(answer["deleted"]);
  const missing = new Set(keys).size - deleted;
  terminal.print(`deleted ${deleted}${missing === 0 ? "" : `, ${missing} not there`}`);
}
