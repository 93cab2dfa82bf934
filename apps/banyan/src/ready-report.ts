/** What a node says when it is ready: its services, where everything is, and something to try. */

import { nodeContract } from "@banyan/host";
import type { Node } from "@banyan/host";
import { systemClock } from "@banyan/kernel";
import type { Command } from "./command.ts";
import { operationRows, serviceRows } from "./node-answers.ts";
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

/** The first operation that everybody may call, with a request that fits its schema. */
async function somethingToTry(
  node: Node,
  services: readonly string[],
  env: Command["env"],
): Promise<string[]> {
  const client = node.client(nodeContract);
  for (const service of services) {
    if (service === "node") continue;
    const rows = operationRows(await client.describe({ service }));
    const operation = rows.find(({ access, kind }) => access === "anonymous" && kind === "unary");
    if (operation === undefined) continue;
    const curl = node.url === undefined ? [] : [curlText(node.url, operation)];
    return [...curl, cliCallText(service, operation, env)];
  }
  return [];
}
