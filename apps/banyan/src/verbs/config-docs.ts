/** `banyan config docs`: every setting with its type, default, variable and meaning. */

import type { ConfigRow } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { checkWorkspace } from "../check-workspace.ts";
import type { Terminal } from "../terminal.ts";
import { oneLine } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const { check } = await checkWorkspace(command);
  if (flags.has("schema")) terminal.print(JSON.stringify(check.jsonSchema, undefined, 2));
  else if (terminal.json) terminal.print(JSON.stringify({ rows: check.rows.map(withoutValue) }));
  else terminal.print(check.rows.map((row) => settingText(row, terminal)).join("\n\n"));
}

/** Documentation is about every node; a value is about one. */
function withoutValue({ value: _value, origin: _origin, ...row }: ConfigRow): object {
  return row;
}

/** Three lines: name, what it is, what it means. */
export function settingText(row: ConfigRow, { style }: Terminal): string {
  const fallback = row.default === undefined ? "" : `default ${JSON.stringify(row.default)}`;
  const facts = [
    row.type,
    row.required ? "required" : fallback,
    row.env,
    row.secret ? "secret" : "",
  ];
  const lines = [style("name", row.name), `  ${facts.filter((fact) => fact !== "").join("  ·  ")}`];
  if (row.description !== "") lines.push(`  ${style("faint", oneLine(row.description))}`);
  return lines.join("\n");
}
