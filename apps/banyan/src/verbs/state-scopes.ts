/** `banyan state scopes <service>`: whose each scope is, and how much is in it. */

import type { Command } from "../command.ts";
import { countFlag } from "../count-flag.ts";
import { findNode } from "../node-address.ts";
import { recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { oneLine, textTable } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, args, flags } = command;
  const [service = ""] = args;
  const answer = await askNode(await findNode(command), "/node/state/scopes", {
    service,
    owner: flags.text("owner"),
    limit: countFlag(flags, "limit"),
    after: flags.text("after"),
  });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const rows = recordsOf(answer["scopes"]);
  if (rows.length === 0) {
    terminal.note(terminal.styleNote("faint", `${service} has no such scope.`));
    return;
  }
  const head = ["SCOPE", "OWNER", "ENTRIES", "CREATED", ""];
  terminal.print(
    textTable([
      head.map((cell) => terminal.style("faint", cell)),
      ...rows.map((row) => [
        terminal.style("name", oneLine(textOf(row["name"]))),
        oneLine(textOf(row["owner"])),
        String(row["entries"]),
        textOf(row["createdAt"]),
        row["going"] === true ? "being deleted" : oneLine(textOf(row["summary"])),
      ]),
    ]),
  );
  const next = textOf(answer["next"]);
  if (next !== "") {
    terminal.note(terminal.styleNote("faint", `There is more: --after ${next} goes on.`));
  }
}
