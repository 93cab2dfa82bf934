/** What a node says when it is ready: its services, where everything is, and something to try. */

import { nodeContract } from "@banyan/host";
import type { Node } from "@banyan/host";
import { systemClock } from "@banyan/kernel";
import type { Command } from "./command.ts";
import { operationRows, recordOf, serviceRows } from "./node-answers.ts";
import type { OperationRow } from "./node-answers.ts";
import { serviceTable } from "./service-table.ts";
import type { Settings } from "./settings.ts";
import { textTable } from "./text-table.ts";
import { cliCallText, commandName, curlText } from "./try-it.ts";
import { readVersion } from "./version.ts";

/** One line of JSON with `--json`, a page for people otherwise. */
export async function readyReport(
  node: Node,
  settings: Settings,
  { terminal, env }: Pick<Command, "terminal" | "env">,
): Promise<string> {
  const client = node.client(nodeContract);
  const answer = await client.services({});
  if (terminal.json) return JSON.stringify({ event: "ready", ...answer });
  const rows = serviceRows(answer);
  const { style } = terminal;
  const readyMs = Math.round(systemClock.monotonicMs());
  const places = [
    ["HTTP", node.url ?? "off"],
    ...(node.url === undefined ? [] : [["docs", `${node.url}/docs`]]),
    ...meshPlace(node),
    ["data", settings.dataDirectory],
    ["config", settings.configFile?.path ?? "none; every setting is at its default"],
  ];
  const parts = [
    `${style("strong", `Banyan ${readVersion()}`)} is ${style("good", "ready")} after ${readyMs} ms.`,
    "",
    serviceTable(rows, terminal),
    "",
    textTable(places.map(([name = "", place = ""]) => [style("faint", name), place])),
  ];
  const names = rows.filter(({ state }) => state === "running").map(({ name }) => name);
  const lines = await somethingToTry(node, names, env);
  if (lines.length > 0) parts.push("", ...lines.map((line) => style("name", line)));
  else if (names.every((name) => name === "node")) {
    parts.push(
      "",
      rows.length > names.length
        ? "Every service found is disabled; the table says by what."
        : `No service was found. \`${commandName(env)} new service hello\` writes one.`,
    );
  }
  parts.push("", style("faint", "Ctrl-C stops it."), "");
  return parts.join("\n");
}

function meshPlace({ fleet }: Node): string[][] {
  if (fleet === undefined) return [];
  const { host, port } = fleet.address;
  const others = fleet.instances().filter(({ instance }) => instance !== fleet.instance).length;
  const count = others === 1 ? "1 other node" : `${others} other nodes`;
  return [["mesh", `${host.includes(":") ? `[${host}]` : host}:${port}, with ${count}`]];
}

/**
 * An operation that everybody may call, with a request that fits its schema. One that declares no
 * errors works on an empty node too; one that takes something shows more than one that does not.
 */
async function somethingToTry(
  node: Node,
  services: readonly string[],
  env: Command["env"],
): Promise<string[]> {
  const client = node.client(nodeContract);
  const candidates: { service: string; operation: OperationRow; rank: number }[] = [];
  for (const service of services) {
    if (service === "node") continue;
    for (const operation of operationRows(await client.describe({ service }))) {
      if (operation.access !== "anonymous" || operation.kind !== "unary") continue;
      const takesNothing = Object.keys(recordOf(operation.example) ?? {}).length === 0;
      const rank = (operation.errors.length > 0 ? 2 : 0) + (takesNothing ? 1 : 0);
      candidates.push({ service, operation, rank });
    }
  }
  const [best] = candidates.toSorted((a, b) => a.rank - b.rank);
  if (best === undefined) return [];
  const { service, operation } = best;
  const curl = node.url === undefined ? [] : [curlText(node.url, operation)];
  return [...curl, cliCallText(service, operation, env)];
}
