/** `banyan config show`: of the running node where there is one, else of the next start. */

import type { ConfigRow } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { checkWorkspace } from "../check-workspace.ts";
import { findNode } from "../node-address.ts";
import { recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { isBanyanError } from "@banyan/kernel";
import type { Terminal } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";

type ShownRow = Pick<ConfigRow, "name" | "value" | "origin" | "secret">;

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const running = await askRunningNode(command);
  const rows = running === undefined ? await nextStart(command) : shownRows(running);
  if (terminal.json) {
    const source = running === undefined ? "files" : "node";
    terminal.print(JSON.stringify({ source, ...(running ?? { rows }) }));
    return;
  }
  const where =
    running === undefined ? "as the next start here would use it" : "of the running node";
  terminal.note(terminal.styleNote("faint", `Configuration ${where}:`));
  terminal.print(configTable(rows, { origin: flags.has("origin") }, terminal));
}

/** `undefined` where no node runs, or where the question is about another start. */
async function askRunningNode(command: Command): Promise<Record<string, unknown> | undefined> {
  if (command.flags.has("services") || command.flags.has("set")) return undefined;
  try {
    return await askNode(await findNode(command), "/node/config");
  } catch (error) {
    if (isBanyanError(error, "CLI_NOT_CONNECTED") && !command.flags.has("url")) {
      return undefined;
    }
    throw error;
  }
}

async function nextStart(command: Command): Promise<readonly ConfigRow[]> {
  const { check, report } = await checkWorkspace(command);
  // Rows with something wrong elsewhere are still worth seeing; what is wrong goes beside them.
  if (report !== undefined && !command.terminal.json) command.terminal.note(report.message);
  return check.rows;
}

/** One line per setting; a value is JSON, so that a list and a text with commas differ. */
export function configTable(
  rows: readonly ShownRow[],
  options: { readonly origin: boolean },
  { style }: Terminal,
): string {
  return textTable(
    rows.map(({ name, value, origin, secret }) => {
      const text = value === undefined ? style("faint", "-") : valueText(value, secret);
      const from = origin === "default" || origin === "not set" ? style("faint", origin) : origin;
      return [style("name", name), oneLine(text), ...(options.origin ? [from] : [])];
    }),
  );
}

function valueText(value: unknown, secret: boolean): string {
  return secret && typeof value === "string" ? value : JSON.stringify(value);
}

function shownRows(answer: Readonly<Record<string, unknown>>): ShownRow[] {
  return recordsOf(answer["rows"]).map((row) => ({
    name: textOf(row["name"]),
    value: row["value"],
    origin: textOf(row["origin"]),
    secret: row["secret"] === true,
  }));
}
