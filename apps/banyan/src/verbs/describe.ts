/** `banyan describe <service>[.<operation>]`. */

import { cliCallText, curlText } from "../try-it.ts";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { listOf, operationRows, recordOf, recordsOf, textOf } from "../node-answers.ts";
import type { OperationRow } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { fieldRows } from "../schema-fields.ts";
import type { Terminal } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, args } = command;
  const [service = "", ...rest] = (args[0] ?? "").split(".");
  const operation = rest.join(".");
  const node = await findNode(command);
  const question = operation === "" ? { service } : { service, operation };
  const answer = await askNode(node, "/node/describe", question);
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const rows = operationRows(answer);
  const [only] = rows;
  if (operation !== "" && only !== undefined) {
    terminal.print(operationText({ service, operation: only, node, env: command.env }, terminal));
  } else terminal.print(serviceText(recordOf(answer["service"]) ?? {}, rows, terminal));
}

/** A service with everything that it declares; a part it does not have is not shown. */
export function serviceText(
  service: Readonly<Record<string, unknown>>,
  operations: readonly OperationRow[],
  { style }: Terminal,
): string {
  const name = style("strong", textOf(service["name"]));
  const parts = [
    `${name}  ${textOf(service["version"])}  ${textOf(service["layer"])}`,
    oneLine(textOf(service["summary"])),
  ];
  if (textOf(service["description"]) !== "") parts.push("", textOf(service["description"]));
  const section = (title: string, rows: readonly (readonly string[])[]): void => {
    if (rows.length > 0) parts.push("", style("faint", title), textTable(rows, "  "));
  };
  const listed = (key: string, ...columns: readonly string[]): string[][] =>
    recordsOf(service[key]).map((row) => columns.map((column) => oneLine(textOf(row[column]))));
  const names = (key: string): string[][] =>
    (Array.isArray(service[key]) ? service[key] : []).map((each: unknown) => [textOf(each)]);
  section(
    "OPERATIONS",
    operations.map((row) => [
      style("name", row.name),
      `${row.method} ${row.path}`,
      row.access,
      oneLine(row.summary),
    ]),
  );
  section(
    "STORES",
    recordsOf(service["stores"]).map((row) => [
      oneLine(textOf(row["name"])),
      textOf(row["durability"]),
      oneLine(listOf(row["capabilities"]).map(textOf).join(", ")),
    ]),
  );
  section("LOCKS", listed("locks", "name", "durability", "summary"));
  section("EVENTS", listed("events", "name", "topic", "durability"));
  section(
    "SUBSCRIPTIONS",
    recordsOf(service["subscriptions"]).map(({ name: own, topic, delivery, ...options }) => [
      ...[own, topic, delivery].map((each) => oneLine(textOf(each))),
      oneLine(optionsText(options)),
    ]),
  );
  section("EXTENSION POINTS", listed("extensionPoints", "name", "kind", "summary"));
  section("USES", names("uses"));
  section("OPTIONAL", names("optional"));
  section("ERRORS", listed("errors", "code", "kind", "summary"));
  return parts.join("\n");
}

/** As the contract says it: `concurrency 16, backoff.initialMs 100`. */
function optionsText(options: Readonly<Record<string, unknown>>, prefix = ""): string {
  return Object.entries(options)
    .map(([key, value]) => {
      const inner = recordOf(value);
      return inner === undefined
        ? `${prefix}${key} ${String(value)}`
        : optionsText(inner, `${prefix}${key}.`);
    })
    .join(", ");
}

interface Described {
  readonly service: string;
  readonly operation: OperationRow;
  readonly node: NodeAddress;
  readonly env: Command["env"];
}

/** One operation: how to call it, what goes in and what comes out. */
export function operationText(
  { service, operation, node, env }: Described,
  { style }: Terminal,
): string {
  const facts = [
    ["access", operation.access],
    ["kind", operation.kind],
    ["idempotent", operation.idempotent ? "yes" : "no"],
    ...(operation.deadlineMs === undefined ? [] : [["deadline", `${operation.deadlineMs} ms`]]),
    ...(operation.streamAhead === undefined
      ? []
      : [["ahead", `up to ${operation.streamAhead} frames, between nodes`]]),
    ...(operation.errors.length === 0 ? [] : [["errors", operation.errors.join(", ")]]),
  ];
  const parts = [
    `${style("strong", `${service}.${operation.name}`)}  ${operation.method} ${operation.path}`,
    oneLine(operation.summary),
    ...(operation.description === "" ? [] : ["", operation.description]),
    "",
    textTable(facts, "  "),
  ];
  const schemas = [
    ["REQUEST", operation.request],
    ["RESPONSE", operation.response],
    ["FRAMES", operation.stream],
  ] as const;
  for (const [title, schema] of schemas) {
    if (schema === undefined) continue;
    const rows = fieldRows(schema);
    const text = rows.length === 0 ? "  (no fields)" : textTable(rows, "  ");
    parts.push("", style("faint", title), text);
  }
  parts.push("", style("faint", "TRY"));
  if (operation.kind !== "raw") parts.push(`  ${cliCallText(service, operation, env)}`);
  parts.push(`  ${curlText(node.url, operation)}`);
  return parts.join("\n");
}
