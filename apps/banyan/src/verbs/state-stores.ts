/** `banyan state stores`: what each store is kept by, and what it can do. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { listOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { oneLine, textTable } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const count = flags.has("count");
  const answer = await askNode(await findNode(command), "/node/state/stores", { count });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const rows = recordsOf(answer["stores"]);
  if (rows.length === 0) {
    terminal.note(terminal.styleNote("faint", "No service of this node has a store."));
    return;
  }
  const head = ["STORE", "DURABILITY", "ENGINE", "CAN", ...(count ? ["ENTRIES"] : []), ""];
  terminal.print(
    textTable([
      head.map((cell) => terminal.style("faint", cell)),
      ...rows.map((row) => [
        terminal.style("name", textOf(row["store"])),
        textOf(row["durability"]),
        textOf(row["engine"]),
        listOf(row["capabilities"]).map(textOf).join(", ") || "-",
        ...(count ? [numberText(row["entries"])] : []),
        oneLine(row["writable"] === false ? "the node's own; read only" : textOf(row["summary"])),
      ]),
    ]),
  );
}

/** Those of scoped stores are counted scope by scope: `banyan state scopes`. */
function numberText(value: unknown): string {
  return typeof value === "number" ? String(value) : "-";
}
