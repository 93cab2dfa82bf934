/** What a node answers about its fleet, narrowed field by field, and how people read it. */

import { numberOf, recordOf, recordsOf, textOf } from "./node-answers.ts";
import type { Style, Terminal } from "./terminal.ts";
import { oneLine, textTable } from "./text-table.ts";

export interface EndpointRow {
  readonly instance: string;
  readonly node: string;
  readonly app: string;
  readonly address: string;
  readonly status: string;
  /** Why it is degraded. */
  readonly issues: readonly string[];
  /** 0 to 1; `undefined`: not known. */
  readonly load: number | undefined;
  readonly isSelf: boolean;
  readonly services: readonly string[];
}

type Bag = Readonly<Record<string, unknown>>;

/** The rows of `/node/mesh/endpoints`. */
export function endpointRows(answer: Bag): EndpointRow[] {
  return recordsOf(answer["endpoints"]).map((row) => {
    const host = textOf(row["host"]);
    return {
      instance: textOf(row["instance"]),
      node: textOf(row["node"]),
      app: textOf(row["app"]),
      address: `${host.includes(":") ? `[${host}]` : host}:${numberOf(row["port"])}`,
      status: textOf(row["status"]),
      issues: textsOf(row["issues"]),
      load: typeof row["load"] === "number" ? row["load"] : undefined,
      isSelf: row["isSelf"] === true,
      services: recordsOf(row["services"]).map(({ name }) => textOf(name)),
    };
  });
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(textOf).filter((text) => text !== "") : [];
}

const statusStyles: Readonly<Record<string, Style>> = {
  up: "good",
  degraded: "warning",
  draining: "warning",
};

/** Every node runs the service `node`: it is left out. */
export function endpointTable(
  rows: readonly EndpointRow[],
  { style }: Pick<Terminal, "style">,
): string {
  const head = ["APP", "NODE", "ADDRESS", "STATUS", "LOAD", "SERVICES"];
  const body = rows.map((row) => [
    oneLine(row.app),
    style("strong", oneLine(row.node)) + (row.isSelf ? style("faint", " (this one)") : ""),
    oneLine(row.address),
    style(statusStyles[row.status] ?? "warning", oneLine(row.status)),
    row.load === undefined ? "-" : `${Math.round(row.load * 100)}%`,
    oneLine(row.services.filter((name) => name !== "node").join(", ") || "-"),
  ]);
  const table = textTable([head.map((cell) => style("faint", cell)), ...body]);
  const issues = rows.flatMap(({ node, issues: all }) =>
    all.map((issue) => style("warning", `${oneLine(node)}: ${oneLine(issue)}`)),
  );
  return [table, ...issues].join("\n");
}

/** What `/node/mesh/mappings` and `/node/mesh/place` answer. */
export function mappingText(answer: Bag, { style }: Terminal): string {
  const apps = Object.entries(recordOf(answer["apps"]) ?? {});
  const version = numberOf(answer["version"]);
  const epoch = textOf(answer["epoch"]);
  const of = `version ${version}${epoch === "" ? "" : ` of ${oneLine(epoch)}`}`;
  if (apps.length === 0) {
    return `Nothing is placed (${of}): every service belongs to the app banyan.`;
  }
  apps.sort(([a], [b]) => (a < b ? -1 : 1));
  const head = ["SERVICE", "APP"].map((cell) => style("faint", cell));
  const body = apps.map(([service, app]) => [
    style("strong", oneLine(service)),
    oneLine(textOf(app)),
  ]);
  return `${textTable([head, ...body])}\n${style("faint", of)}`;
}
