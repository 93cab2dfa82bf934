/**
 * `banyan state set <store> <key> …`: one write, judged by the store's schema in the node. The
 * schema is asked for first, because it converts `key=value`.
 */

import type { Command } from "../command.ts";
import { parseDuration, ttlTimeMax } from "../duration.ts";
import { cliErrors } from "../errors.ts";
import { readInput, valueFrom } from "../input-words.ts";
import { findNode } from "../node-address.ts";
import { recordOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [store = "", key = "", ...words] = command.args;
  const ifMatch = flags.text("if-match");
  const ttl = flags.text("ttl");
  if (ifMatch !== undefined && flags.has("if-absent")) {
    throw cliErrors.CLI_USAGE("--if-match and --if-absent cannot both hold.", {
      details: { fix: "Give one of them." },
    });
  }
  const ttlMs = ttl === undefined ? undefined : parseDuration(ttl, "--ttl", ttlTimeMax);
  const input = await readInput(words);
  const node = await findNode(command);
  const { stores } = await askNode(node, "/node/state/stores");
  const row = recordsOf(stores).find((each) => isOf(each, store));
  const isWritable = row?.["writable"] === true;
  const { etag } = await askNode(node, "/node/state/set", {
    store,
    key,
    // Of a store that takes no value there is none to read: the node says what is wrong with it.
    value: isWritable ? valueFrom(input, recordOf(row?.["value"]), `A value of ${store}`) : null,
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(flags.has("if-absent") ? { ifAbsent: true } : {}),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  });
  if (terminal.json) terminal.print(JSON.stringify({ etag }));
  else terminal.print(`written, etag ${textOf(etag)}`);
}

/** Whether the row is the store's; one row stands for a scoped store in all of its scopes. */
function isOf(row: Readonly<Record<string, unknown>>, store: string): boolean {
  const name = textOf(row["store"]);
  if (row["scoped"] !== true) return name === store;
  const [before = "", after = ""] = name.split("<scope>");
  const isInside = store.length > before.length + after.length;
  return isInside && store.startsWith(before) && store.endsWith(after);
}
